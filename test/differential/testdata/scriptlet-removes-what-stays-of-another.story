# A scriptlet of one package takes away what another one leaves as it is.
pkg a 1-1
pkg a 2-1
 x post_upgrade usr/bin/b
 x post_upgrade usr/share/b/two
pkg b 1-1 depends=a
 f usr/bin/b 0755 0:0 same
 f usr/share/b/one 0644 0:0 one
 f usr/share/b/two 0644 0:0 two
pkg b 2-1 depends=a
 f usr/bin/b 0755 0:0 same
 f usr/share/b/one 0644 0:0 one
 f usr/share/b/two 0600 0:0 two
run -U @a-1-1 @b-1-1
run -U @a-2-1 @b-2-1
