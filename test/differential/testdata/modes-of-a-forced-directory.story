# Two packages with one directory, in the place of a file: the first one's mode
# holds, and a warning tells of the second's.
pkg b 2rc1-1
 d usr/lib/thing/ 0755 0:0
pkg c 1:0.5-1
 d usr/lib/thing/ 01777 0:0
write usr/lib/thing 0644 mine
run -U --overwrite * @b-2rc1-1 @c-1:0.5-1
