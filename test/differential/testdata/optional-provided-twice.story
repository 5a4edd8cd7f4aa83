# That an optional dependency goes is told, even if something else provides it.
pkg d 2-1 provides=e,a=2 optdepends=e
pkg e 1:1-1
run -U @d-2-1 @e-1:1-1
run -R e
