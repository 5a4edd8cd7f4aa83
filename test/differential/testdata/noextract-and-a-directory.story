# What NoExtract keeps out is in nobody's way, and a directory there is a person's.
pkg d 1-1
 f usr/lib/libd.so.1 0755 0:0 text1
pkg d 2.a-1
 f usr/lib/libd.so.1 0644 0:0 text5
conf NoExtract usr/lib/libd.so.1
run -U @d-1-1
mkdir usr/lib/libd.so.1 0755
run -U @d-2.a-1
