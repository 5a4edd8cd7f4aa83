pkg a 1.1-1 depends=c
pkg b 1-2
 f usr/share/b/sub/deep 0644 0:0 text2
pkg c 2rc1-1 depends=a>1:1
pkg c 1:0.5-1
write usr/share/b/sub/deep 0644 text2
repo core b-1-2 c-2rc1-1
repo extra a-1.1-1 c-1:0.5-1
run -S --ask 20 b a
