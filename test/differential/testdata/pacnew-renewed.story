# The .pacnew of an earlier version is renewed, though the text is the same.
pkg c 1-2 backup=etc/c.conf
 f etc/c.conf 04755 0:0 text2
pkg c 2.a-1 backup=etc/c.conf
 f etc/c.conf 0640 0:0 text2
write etc/c.conf 0755 text1
repo extra c-1-2
run -S c
repo extra c-2.a-1
run -Su
