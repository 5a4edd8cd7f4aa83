# A conflict is told by the path of the package that comes first.
pkg a 1:0.5-1
 f usr/lib/thing/x 0644 0:0 text2
pkg b 1-1 depends=a
 f usr/lib/thing 0644 0:0 text3
repo extra a-1:0.5-1 b-1-1
run -S b
