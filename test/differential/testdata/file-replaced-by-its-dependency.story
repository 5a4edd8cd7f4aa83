# A file that a package of a repository takes the place of was asked for all the
# same.
pkg a 1.1-1
pkg a 1:1-1 depends=b provides=v2=2
pkg b 1-2
pkg c 1-1 depends=v2
repo extra a-1:1-1 b-1-2
run -U --ask 4 @c-1-1 @a-1.1-1
