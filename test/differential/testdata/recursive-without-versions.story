# -d and -dd do not change what -s takes along.
pkg a 1-1 depends=b>=2
pkg b 1-1
run -U -dd @a-1-1
run -U --asdeps @b-1-1
run -Rsd a
