# It goes where the file is now what the package has.
pkg d 1-2 backup=etc/d.conf
 f etc/d.conf 0644 0:0 text2
pkg d 2.a-1 backup=etc/d.conf
 f etc/d.conf 0644 0:0 text1
write etc/d.conf 0600 text1
repo core d-1-2
run -S d
repo core d-2.a-1
run -S d
