# --overwrite lets a directory take the place of a file.
pkg b 2-1
 f usr/share/common/three 0644 0:0 text3
write usr/share/common 0644 mine
run -U --overwrite * @b-2-1
