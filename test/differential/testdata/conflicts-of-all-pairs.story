# A directory of two packages, a link of a third: both conflicts are told.
pkg a 1-1
 l usr/lib/thing ../share/common
pkg c 1-2 depends=f
pkg d 1-1 depends=c<1:1
pkg e 1-2 depends=d
 d usr/lib/thing/ 0755 0:0
pkg f 1-2
 d usr/lib/thing/ 01777 0:0
repo core c-1-2 d-1-1 e-1-2
repo extra a-1-1 f-1-2
run -S e a
