# Another owner of a directory is not worth a warning.
pkg c 1-2
 d usr/share/c/sub/ 0755 3:3
write usr/share/c/sub/stray 0644 text0
repo extra c-1-2
run -S c
