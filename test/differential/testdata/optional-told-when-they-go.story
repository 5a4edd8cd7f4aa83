# Optional dependencies are told of when it is certain that they can go.
pkg b 2rc1-1 depends=e
pkg d 2.a-1 depends=b
pkg e 1-1 optdepends=b
repo core b-2rc1-1 e-1-1
repo extra d-2.a-1
run -S d
run -R b
run -R d
run -R b
