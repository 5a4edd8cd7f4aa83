// SPDX-License-Identifier: GPL-3.0-or-later

package pacman

import (
	"fmt"
	"strings"
	"time"

	"github.com/rastos/rastos/alpm/trans"
	"github.com/rastos/rastos/internal/pacman/show"
)

// downloads shows files on their way: a line each off a terminal, else a bar
// each, all of them moving at once, and one for the whole.
type downloads struct {
	s      *session
	active []*transfer // in the order of their lines; whole ones at the top are let go
	line   int         // of the cursor, from the first active one
	total  *transfer   // nil: none is shown
}

// transfer is one bar.
type transfer struct {
	name         string
	done, size   int64
	shown        int64 // of done, when it was last drawn
	begun, drawn time.Time
	rate         float64 // bytes a second
	left         time.Duration
	whole        bool
	files, of    int // of the total
}

func newDownloads(s *session) *downloads { return &downloads{s: s} }

// pace is how often a bar is drawn again.
const pace = 200 * time.Millisecond

func (d *downloads) bars() bool { return !d.s.conf.NoProgressBar && d.s.columns() > 0 }

// drawing tells whether bars are moving, which other lines would break.
func (d *downloads) drawing() bool { return len(d.active) > 0 || d.total != nil }

// shortName leaves out what packages and databases have at their end.
func shortName(file string) string {
	for _, end := range []string{".pkg", ".db", ".files"} {
		if i := strings.Index(file, end); i >= 0 {
			return file[:i]
		}
	}
	return file
}

func (d *downloads) event(e trans.Event) {
	other := len(d.s.conf.XferArgv) > 0 // another program downloads, and shows it
	switch {
	case strings.HasSuffix(e.Name, ".sig"), other && e.Kind != trans.EventRetrieve:
	case e.Kind == trans.EventRetrieve && e.Finished:
		d.finish()
	case e.Kind == trans.EventRetrieve:
		if !d.s.opt.Print {
			d.s.colon("Retrieving packages...\n")
		}
		if d.bars() && !other && e.Total > 0 && e.Done > 1 {
			d.total = &transfer{name: "Total", size: e.Total, of: int(e.Done), begun: d.s.Now()}
		}
	case e.Text == trans.TextBegun && !d.bars():
		d.s.print(" ", shortName(e.Name), " downloading...\n")
	case !d.bars():
	case e.Text == trans.TextBegun:
		d.begin(e.Name)
	default:
		d.progress(e)
	}
}

func (d *downloads) begin(name string) {
	d.to(len(d.active))
	d.active = append(d.active, &transfer{name: shortName(name), begun: d.s.Now()})
	d.s.print(" ", shortName(name), "\n")
	d.line++
	if d.total != nil {
		d.draw(d.total)
		d.s.print("\n")
		d.line++
	}
}

func (d *downloads) progress(e trans.Event) {
	at := -1
	for i, a := range d.active {
		if a.name == shortName(e.Name) && !a.whole {
			at = i
		}
	}
	if at < 0 {
		return
	}
	a := d.active[at]
	if d.total != nil {
		d.total.done += max(0, e.Done-a.done)
	}
	a.done, a.size = e.Done, e.Total
	switch {
	case e.Text == "up to date":
		a.whole = true
		d.to(at)
		d.s.print(" ", a.name, " is up to date\033[K")
	case e.Finished:
		d.complete(at)
	case a.due(d.s.Now()):
		d.to(at)
		d.draw(a)
	}
	if d.total != nil && d.total.due(d.s.Now()) {
		d.to(len(d.active))
		d.draw(d.total)
	}
	d.letGo()
}

// complete draws a bar for the last time. With a total, whole bars move to the top.
func (d *downloads) complete(at int) {
	a := d.active[at]
	a.last(d.s.Now())
	if d.total != nil {
		d.total.files++
		if at != 0 {
			d.active[0], d.active[at] = a, d.active[0]
			d.to(at)
			d.draw(d.active[at])
			at = 0
		}
	}
	d.to(at)
	d.draw(a)
}

// letGo forgets whole bars at the top, which are never drawn again.
func (d *downloads) letGo() {
	for len(d.active) > 0 && d.active[0].whole {
		d.active = d.active[1:]
		d.line--
	}
}

// finish leaves the bars; those that are not whole have failed.
func (d *downloads) finish() {
	for i, a := range d.active {
		if !a.whole {
			d.to(i)
			d.s.print(" ", a.name, " failed to download\033[K")
		}
	}
	if d.drawing() || d.line != 0 {
		d.to(len(d.active))
	}
	if d.total != nil {
		d.total.last(d.s.Now())
		d.draw(d.total)
		d.s.print("\n")
	}
	d.active, d.line, d.total = nil, 0, nil
}

// to moves the cursor to the line of the nth bar.
func (d *downloads) to(n int) {
	switch {
	case n > d.line:
		d.s.printf("\033[%dE", n-d.line)
	case n < d.line:
		d.s.printf("\033[%dF", d.line-n)
	}
	d.line = n
}

// due works the rate out, if it is time to draw.
func (a *transfer) due(now time.Time) bool {
	since := now.Sub(a.drawn)
	if since < pace {
		return false
	}
	a.rate = (float64(a.done-a.shown)/since.Seconds() + 2*a.rate) / 3
	a.shown, a.drawn, a.left = a.done, now, -1
	if a.rate > 0 {
		a.left = time.Duration(float64(a.size-a.done) / a.rate * float64(time.Second))
	}
	return true
}

// last sets what a whole bar shows: the mean rate and the time that it took.
func (a *transfer) last(now time.Time) {
	took := max(now.Sub(a.begun), time.Millisecond)
	a.whole, a.done, a.shown = true, a.size, a.size
	a.rate, a.left = float64(a.size)/took.Seconds(), took
}

func (d *downloads) draw(a *transfer) {
	columns := d.s.columns()
	name := a.name
	if a.of > 0 {
		digits := len(fmt.Sprint(a.of))
		name = fmt.Sprintf("%s (%*d/%*d)", name, digits, a.files, digits, a.of)
	}
	size, sizeUnit := show.SizeIn(a.shown, 0)
	rate, rateUnit := show.SizeIn(int64(a.rate), 0)
	decimals := 0
	switch {
	case rate < 9.995:
		decimals = 2
	case rate < 99.95:
		decimals = 1
	}
	percent := 100
	if a.size > 0 {
		percent = int(a.shown * 100 / a.size)
	}
	d.s.printf(" %s %6.1f %3s  %4.*f %3s/s %s%s", fitted(name, infoWidth(columns)-30), size, sizeUnit,
		decimals, rate, rateUnit, clock(a.left), barFill(percent, barWidth(columns), d.s.conf.ILoveCandy))
}

// clock writes minutes and seconds.
func clock(t time.Duration) string {
	seconds := int((t + time.Second/2) / time.Second)
	if t < 0 || seconds >= 100*60 {
		return "--:--"
	}
	return fmt.Sprintf("%02d:%02d", seconds/60, seconds%60)
}
