pkg e 2-1 backup=etc/e.conf
 f etc/e.conf 0644 0:0 text1
conf NoExtract etc/*
run -U @e-2-1
