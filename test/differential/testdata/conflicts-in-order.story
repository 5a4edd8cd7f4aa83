# Conflicts come package by package, those with other targets first.
pkg b 1:1-1 depends=e
 f usr/share/common/two 0644 0:0 text1
pkg d 1-2
 l opt/way ../usr/share/common
pkg e 1.1-1
 f usr/share/common/two 0644 0:0 text1
write opt/way 0644 text3
repo core b-1:1-1 d-1-2 e-1.1-1
run -S d b
