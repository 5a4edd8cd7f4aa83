# A hard link whose file NoExtract keeps out is left out with a warning.
pkg b 1-2
 f usr/bin/b 0755 0:0 text3
 h usr/bin/b2 usr/bin/b
conf NoExtract usr/bin/?
repo extra b-1-2
run -S b
run -S b
run -R b
