# A package that replaces another by two of its replaces asks once.
pkg c 1-2
pkg d 1.1-1 replaces=c<1.1,c
repo core d-1.1-1
run -U @c-1-2
run -Su
