# A changed backup file where the new version has a directory becomes .pacsave.
pkg b 1.1-1 backup=etc/b.conf
 f etc/b.conf 04755 0:0 text2
pkg b 2rc1-1
 d etc/b.conf/ 0755 0:0
repo core b-1.1-1
run -S b
write etc/b.conf 0755 mine
repo core b-2rc1-1
run -S b
