pkg d 2-1 backup=etc/d.conf
 f etc/d.conf 0640 0:0 text3
repo core d-2-1
run -S d
mkdir etc/d.conf.pacnew/x 0700
run -S d
