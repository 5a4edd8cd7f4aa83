# The new version has the same content; what its scriptlet takes away comes back.
pkg a 1-1
 f usr/bin/a 0755 0:0 same
 f usr/share/a 0644 0:0 text1
pkg a 2-1
 f usr/bin/a 0755 0:0 same
 f usr/share/a 0644 0:0 text2
 x pre_upgrade usr/bin/a
run -U @a-1-1
run -U @a-2-1
