# What a person put where a package has a directory goes, if the package lists
# that name among its backup files.
pkg c 1-1 backup=etc/c.conf,etc/c.d/one
 d etc/c.conf/ 0755 0:0
pkg d 1-1 backup=etc/d.conf
 d etc/d.conf/ 0755 0:0
link etc/c.conf .
write etc/d.conf 0644 mine
run -U @c-1-1
run -U @d-1-1
