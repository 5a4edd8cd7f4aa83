# Only a version with = can be assumed.
pkg a 1-1
repo core a-1-1
run -S --assume-installed c<=1.1 a
