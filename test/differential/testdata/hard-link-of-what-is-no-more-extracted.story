# The first name of a file is kept out from here on: the second goes with it,
# for what it held is the old version's.
pkg b 1-2
 f usr/bin/b 0755 0:0 text1
 h usr/bin/b2 usr/bin/b
pkg b 1.1-1
 f usr/bin/b 0755 0:0 text0
 h usr/bin/b2 usr/bin/b
repo core b-1-2
run -S b
conf NoExtract usr/bin/b
repo core b-1.1-1
run -Su
