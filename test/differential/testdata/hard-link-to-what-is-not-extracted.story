# A person's file where a hard link cannot be made, since NoExtract keeps out
# what it would be another name of: it goes, as where the link can be made.
pkg b 1-2
 f usr/bin/b 0755 0:0 text1
 h usr/bin/b2 usr/bin/b
pkg b 1.1-1
 f usr/bin/b 0755 0:0 text0
 h usr/bin/b2 usr/bin/b
 s post_install pre_upgrade post_upgrade pre_remove post_remove
conf NoExtract usr/bin/b
repo core b-1-2
run -S b
write usr/bin/b2 0755 mine
repo core b-1.1-1
run -Su
