# -d is about dependencies: a conflict keeps its version.
pkg b 2.a-1
pkg c 2-1 conflicts=b<=2
run -U -d @c-2-1 @b-2.a-1
