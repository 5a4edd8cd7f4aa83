# Nothing is said of a member that is left out.
pkg a 1:1-1 groups=odd,all
repo extra a-1:1-1
run -S --ask 1 --ignoregroup odd all
