# A person's link is where NoExtract keeps a file out: its other name in the
# package is another name of the link.
pkg c 1-2
 f usr/bin/c 0755 0:0 text0
 h usr/bin/c2 usr/bin/c
conf NoExtract usr/bin/c
link usr/bin/c etc
repo core c-1-2
run -S --overwrite * c
run -R c
