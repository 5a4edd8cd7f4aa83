# What its scriptlets say comes below its removal, then below its installation.
pkg a 2-1
 s pre_install post_install post_upgrade pre_remove
pkg b 1-2 replaces=a
pkg d 1-1 depends=a,b
repo core a-2-1 b-1-2 d-1-1
run -S --ask 20 d
run -Su d
