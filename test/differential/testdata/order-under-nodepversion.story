# -d does not change the order: a version that does not fit is no edge.
pkg a 1:1-1
pkg b 10-1 depends=a<2
run -U -d @b-10-1 @a-1:1-1
