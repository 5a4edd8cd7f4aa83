# A target that is up to date was asked for, if something else then upgrades it.
pkg b 1-1
pkg b 2-1
pkg a 1-1 depends=b=2
pkg a 2-1
repo core b-1-1
repo extra a-1-1 b-2-1
run -S core/b
run -S --needed core/b a
run -R a
run -S core/b
repo core b-2-1 a-2-1
repo extra b-1-1
run -Su --needed extra/b a
