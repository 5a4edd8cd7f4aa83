# A directory goes with the package that is replaced, and comes with another
# version of it.
pkg b 1-2
pkg b 10-1 replaces=e
pkg e 2.a-1
 d var/lib/e/ 01777 5:5
pkg e 1:1-1
 d var/lib/e/ 0755 0:0
repo core b-1-2 e-2.a-1
run -S --overwrite * --ask 20 e
run -S b
repo core b-10-1
repo extra e-1:1-1
run -Suu
