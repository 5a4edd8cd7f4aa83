# Earlier .pacsave files are moved on, whichever there are.
pkg a 1-1 backup=etc/a.conf
 f etc/a.conf 0644 0:0 text1
run -U @a-1-1
write etc/a.conf 0644 mine
write etc/a.conf.pacsave.2 0644 text2
write etc/a.conf.pacsave.4 0644 text4
run -R a
run -U @a-1-1
write etc/a.conf 0644 again
run -R a
