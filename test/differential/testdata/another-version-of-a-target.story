# What a dependency needs may take the place of a target of that name: then it is
# as explicit.
pkg a 1-1 depends=v1
pkg b 2rc1-1
pkg e 2.a-1
pkg e 1:1-1 provides=v1=1.1
repo core a-1-1 e-2.a-1
repo extra b-2rc1-1 e-1:1-1
run -S a b e
