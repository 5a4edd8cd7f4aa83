# A dependency that is replaced and needed all the same keeps its entry.
pkg a 1-1 depends=c replaces=c<=2
pkg c 1-2
 f usr/bin/c 0755 0:0 text1
repo core a-1-1
repo extra c-1-2
run -S a
run -Su --ask 4
run -R a
