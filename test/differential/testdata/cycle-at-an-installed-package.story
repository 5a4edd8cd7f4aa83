# A circle that ends at an installed package bears on no order.
pkg c 1-2 depends=b
pkg d 10-1 depends=b provides=b=1
repo core c-1-2 d-10-1
run -S d
run -S c
