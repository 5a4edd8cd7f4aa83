pkg a 1-2 depends=c
pkg a 1:0.5-1 replaces=c
pkg c 1-1
pkg c 2rc1-1
repo core a-1-2 c-1-1
run -S a
repo core a-1:0.5-1
repo extra c-2rc1-1
run -Suu --ask 4
