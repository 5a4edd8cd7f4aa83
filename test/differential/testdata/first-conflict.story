# And so it is with conflicts.
pkg a 1.1-1 conflicts=b
pkg b 1-2
pkg d 1-1 provides=b
repo core b-1-2 d-1-1
repo extra a-1.1-1
run -S d a b
