# Both own a file. The new version of one has it no more.
pkg b 2rc1-1
 f usr/share/common/one 0644 0:0 text2
pkg b 2.a-1
 f usr/share/common/one 0644 0:0 text4
pkg d 2-1 backup=usr/share/common/one
 f usr/share/common/one 0644 0:0 text3
pkg d 1:1-1
repo core d-2-1
repo extra b-2rc1-1
run -S --overwrite * d b
repo core b-2.a-1 d-1:1-1
run -Su --ask 4 --overwrite *
