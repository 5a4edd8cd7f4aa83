# An upgrade removes what NoExtract keeps out by now.
pkg c 1.1-1 backup=etc/c.conf
 f usr/lib/libc.so.1 0755 0:0 text1
 f etc/c.conf 0644 0:0 text1
pkg c 1:1-1 backup=etc/c.conf
 f usr/lib/libc.so.1 0755 0:0 text5
 f etc/c.conf 0644 0:0 text2
run -U @c-1.1-1
conf NoExtract usr/lib/libc.so.1
run -U @c-1:1-1
