# A dependency that nothing meets is told, and not what else is asked of that name.
pkg b 2rc1-1
pkg b 1:0.5-1
pkg c 2.a-1 depends=b<2,b
repo core b-2rc1-1
run -S --ask 20 b
repo core b-1:0.5-1 c-2.a-1
run -Su c
