# For hooks it is upgraded.
pkg a 2-1
 f usr/bin/a 0755 0:0 text1
pkg b 1-2 replaces=a
pkg d 1-1 depends=a,b
hook 10-remove Type=Package Target=a When=PostTransaction Operation=Remove NeedsTargets
hook 20-upgrade Type=Package Target=a When=PostTransaction Operation=Upgrade NeedsTargets
hook 30-install Type=Path Target=usr/bin/a When=PostTransaction Operation=Install,Remove NeedsTargets
repo core a-2-1 b-1-2 d-1-1
run -S --ask 20 d
run -Su d
