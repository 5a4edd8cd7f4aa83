# Hooks run where only the database changes, scriptlets do not.
pkg d 2.a-1
 f usr/share/d 0644 0:0 text2
 s pre_install post_install
hook 00-it Type=Path Target=usr/share/* When=PreTransaction Operation=Install,Upgrade,Remove NeedsTargets
hook 10-it Type=Path Target=usr/share/* When=PostTransaction Operation=Install,Upgrade,Remove
repo core d-2.a-1
run -S --dbonly d
run -R --dbonly d
