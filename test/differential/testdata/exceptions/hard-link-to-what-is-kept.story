pkg b 1.1-1
 h usr/share/doc/b/COPY usr/share/doc/b/README
 f usr/share/doc/b/README 0644 0:0 text3
conf NoUpgrade usr/share/*
run -U @b-1.1-1
run -U @b-1.1-1
