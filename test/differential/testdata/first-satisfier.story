# The first package that meets a dependency is taken, not the one of that name.
pkg a 2.a-1
pkg b 1-1 depends=a
pkg d 1-2 provides=a=1.1
repo core a-2.a-1 b-1-1 d-1-2
run -S b d a
