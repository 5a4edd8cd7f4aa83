# And that of a link to a directory.
pkg b 2-1
 d usr/share/b/ 0755 0:0
 f usr/share/b/data 0644 0:0 text3
mkdir usr/share/other 0755
link usr/share/b other
run -U @b-2-1
run -U --overwrite * @b-2-1
