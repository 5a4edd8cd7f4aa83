# A member of a group that is a target from another repository already is a
# duplicate; the other targets are still looked at.
pkg c 2rc1-1
pkg c 2.a-1 groups=all
repo core c-2rc1-1
repo extra c-2.a-1
run -S c all extra/b
