pkg b 1:0.5-1 provides=e=1.1
 f usr/share/common/one 0644 0:0 text3
pkg c 1.1-1
 f usr/share/common/one 0644 0:0 text3
pkg c 2rc1-1 depends=e
repo core c-1.1-1
run -S c
remove usr/share/common/one
repo core b-1:0.5-1 c-2rc1-1
run -Su
