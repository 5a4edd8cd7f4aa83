# An empty directory in the place of a .pacnew is no obstacle.
pkg b 1:0.5-1 backup=etc/b.conf
 f etc/b.conf 0644 0:0 text1
write etc/b.conf 0644 mine
mkdir etc/b.conf.pacnew 0755
run -U @b-1:0.5-1
