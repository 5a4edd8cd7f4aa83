# pacman asks whether d is to be left out.
pkg a 2-1 depends=e=1,v1
pkg a 1:1-1
pkg d 1-1 depends=a
repo core a-2-1 d-1-1
repo extra a-1:1-1
run -S --ask 20 d
