# A hook that depends on what is not installed is not run, which is an error.
pkg b 2.a-1
 f etc/b.conf 0644 0:0 text2
hook 00-it Type=Path Target=etc/* When=PreTransaction Operation=Install,Upgrade NeedsTargets Depends=e
run -U @b-2.a-1
