# A package's file goes once more beside the one that was changed, where a
# directory lies.
pkg d 2-1 backup=etc/d.conf
 f etc/d.conf 0640 0:0 text3
repo core d-2-1
run -S d
mkdir etc/d.conf.pacnew 0700
write etc/d.conf 0644 mine
run -S d
