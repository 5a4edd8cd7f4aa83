# A directory of a package in the way of another's link has no owner to be named.
pkg a 1:1-1
 f usr/lib/thing/x 0644 0:0 text1
pkg e 2rc1-1
 l usr/lib/thing ../share/common
run -U @a-1:1-1
run -U @e-2rc1-1
