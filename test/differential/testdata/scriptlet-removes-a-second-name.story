# What a scriptlet takes away of a package after its own is one of a file's two
# names, and a file that a person had.
pkg c 10-1
 f etc/c.conf 0644 0:0 text1
 f usr/bin/c 0755 0:0 text0
 h usr/bin/c2 usr/bin/c
pkg d 1-1 backup=etc/d.conf
 f etc/d.conf 0644 0:0 text1
 f usr/bin/d 0755 0:0 text0
 h usr/bin/d2 usr/bin/d
pkg f 2.a-1
 x post_install usr/bin/c2
 x post_install usr/bin/d
 x post_install etc/d.conf
write etc/d.conf 0644 mine
repo core c-10-1 d-1-1
repo extra f-2.a-1
run -S --overwrite * --ask 20 f c d
