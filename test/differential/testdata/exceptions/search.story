# The first provider of v1 conflicts with a.
pkg a 1-1 depends=v1
pkg b 1-1 provides=v1 conflicts=a
pkg c 1-1 provides=v1
repo core a-1-1 b-1-1 c-1-1
run -S a
