pkg a 1:0.5-1
 f usr/share/common/one 0644 0:0 text1
pkg e 1-2 backup=etc/e.conf
 f etc/e.conf 0755 0:0 text0
 f usr/share/common/one 0644 0:0 text1
mkdir etc/e.conf 0755
run -U @a-1:0.5-1 @e-1-2
