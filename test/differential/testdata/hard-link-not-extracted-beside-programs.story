# A hard link that cannot be made, in a package whose other files are looked at
# once more since a hook has run.
pkg b 1-1
 f usr/bin/b 0755 0:0 text1
 h usr/bin/b2 usr/bin/b
 f usr/share/b/one 0644 0:0 text2
pkg b 2-1
 f usr/bin/b 0755 0:0 text0
 h usr/bin/b2 usr/bin/b
 f usr/share/b/one 0644 0:0 text2
 s pre_upgrade post_upgrade
repo core b-1-1
run -S b
conf NoExtract usr/bin/b
repo core b-2-1
hook away Type=Package Operation=Upgrade When=PreTransaction Target=b Removes=usr/share/b/one
run -Su
run -R b
