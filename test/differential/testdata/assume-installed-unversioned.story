# What is assumed without a version meets no version.
pkg a 10-1 depends=v2<=1.1
run -U --assume-installed v2 @a-10-1
run -U --assume-installed v2=1 @a-10-1
