# --overwrite is not for directories, of what NoExtract keeps out either.
pkg b 2-1
 f usr/bin/b 0755 0:0 text0
conf NoExtract usr/bin/?
write usr/bin/b/.hidden 0755 text4
run -U --overwrite * @b-2-1
