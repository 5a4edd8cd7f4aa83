# A scriptlet takes away a file of a package that comes after its own.
pkg a 2-1
 f etc/a.conf 0444 0:0 text2
pkg b 1-1
 x post_install etc/a.conf
repo core a-2-1 b-1-1
run -S --overwrite * --ask 20 b a
