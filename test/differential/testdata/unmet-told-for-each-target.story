# What is missing is told for each target that falls with it.
pkg b 10-1 depends=c
pkg c 1:0.5-1 depends=d
pkg d 2-1 depends=v1
repo core b-10-1 c-1:0.5-1 d-2-1
run -S b d
