# All states of backup files: as shipped, changed, the same as the new one,
# deleted, there before, and no longer listed.
pkg a 1-1 backup=etc/same,etc/person,etc/both,etc/alike,etc/gone,etc/dropped,etc/left
 f etc/same 0644 0:0 text1
 f etc/person 0644 0:0 text1
 f etc/both 0644 0:0 text1
 f etc/alike 0644 0:0 text1
 f etc/gone 0644 0:0 text1
 f etc/dropped 0644 0:0 text1
 f etc/left 0644 0:0 text1
pkg a 2-1 backup=etc/same,etc/person,etc/both,etc/alike,etc/gone,etc/new
 f etc/same 0644 0:0 text2
 f etc/person 0644 0:0 text1
 f etc/both 0600 0:0 text2
 f etc/alike 0644 0:0 text2
 f etc/gone 0644 0:0 text2
 f etc/new 0644 0:0 text2
 f etc/left 0644 0:0 text2
repo core a-1-1
run -S a
write etc/person 0644 mine
write etc/both 0644 mine
write etc/alike 0644 text2
write etc/dropped 0644 mine
write etc/left 0644 mine
write etc/new 0644 mine
remove etc/gone
repo core a-2-1
run -Su
run -S a
run -R a
run -S a
run -Rn a
