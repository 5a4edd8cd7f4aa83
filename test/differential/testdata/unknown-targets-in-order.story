# Targets are told of in their order.
pkg a 2.a-1
repo core a-2.a-1
run -S a
run -S nothing core/a core/none
