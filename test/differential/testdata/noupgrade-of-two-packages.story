# Without a journal, too, the second package finds the first one's file.
pkg a 2rc1-1
 f usr/share/common/two 0644 0:0 text0
pkg b 1-2 depends=a
 f usr/share/common/two 0644 0:0 text5
conf NoUpgrade usr/share/*
repo extra a-2rc1-1 b-1-2
run -S --overwrite * b
