pkg a 1-1 backup=etc/a.conf
 f etc/a.conf 0644 0:0 text1
pkg a 2-1 backup=etc/a.conf
 f etc/a.conf 0644 0:0 text2
repo core a-1-1
run -S a
write etc/a.conf 0644 mine
repo core a-2-1
run -Su
run -R a
