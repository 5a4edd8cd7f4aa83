# After a target that is none, nobody is asked which members of a group are meant.
pkg c 1-1 groups=all,odd
repo core c-1-1
run -S nothing all
