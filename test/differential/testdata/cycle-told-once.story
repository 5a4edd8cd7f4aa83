# A package that is needed for two reasons makes one circle.
pkg b 1.1-1 depends=v1,c
pkg c 1-2 depends=b provides=d,v1
repo core b-1.1-1
run -U --ask 4 @c-1-2
