# What a person put where NoExtract keeps a file out goes with the old version,
# before anything could be another name of it.
pkg a 1-1
 h usr/share/doc/a/COPY usr/share/doc/a/README
 f usr/share/doc/a/README 0644 0:0 text3
conf NoExtract usr/share/doc/a/COPY
repo core a-1-1
run -S a
write usr/share/doc/a/COPY 0644 text5
run -S a
