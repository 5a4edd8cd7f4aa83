pkg b 2.a-1 backup=etc/b.conf
 f etc/b.conf 0644 0:0 text2
mkdir etc/b.conf 0700
run -U @b-2.a-1
