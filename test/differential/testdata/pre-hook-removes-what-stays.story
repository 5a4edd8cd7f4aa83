# The same, of a hook that runs before.
pkg a 1-1
 f usr/bin/a 0755 0:0 same
pkg a 2-1
 f usr/bin/a 0755 0:0 same
hook 10-it Type=Package Target=a When=PreTransaction Operation=Upgrade Removes=usr/bin/a
run -U @a-1-1
run -U @a-2-1
