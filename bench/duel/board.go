// SPDX-License-Identifier: GPL-3.0-or-later

package duel

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rastos/rastos/bench/figure"
)

// Board collects the results of one benchmark and writes its figures.
type Board struct {
	Out     io.Writer
	Figures string // directory
	Command string // that makes the figures
	Runs    int    // of each side
	results []result
}

// result is one line of the table.
type result struct {
	name        string
	ours, peers []Usage
}

// Versus lets ours and the peer do the same in turn, and records the figure
// that compares their times. What ours took is returned too.
func (b *Board) Versus(name, peer string, ours, peers func() (Usage, error)) (mine, theirs []Usage, err error) {
	r := result{name: name}
	once := func(who string, list *[]Usage, do func() (Usage, error)) func(int) error {
		return func(i int) error {
			u, err := do()
			if err != nil {
				return err
			}
			fmt.Fprintf(b.Out, "%s %d/%d: %-9s %7.3f s + %.2f s sync, %7.3f s CPU, %4.0f MB\n",
				name, i+1, b.Runs, who, u.Wall.Seconds(), u.Sync.Seconds(), u.CPU.Seconds(), u.Megabytes())
			*list = append(*list, u)
			return nil
		}
	}
	who, _, _ := strings.Cut(peer, " ")
	if err := Turns(b.Runs, once("ours", &r.ours, ours), once(who, &r.peers, peers)); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	b.results = append(b.results, r)
	us, them := Median(r.ours, Usage.Seconds), Median(r.peers, Usage.Seconds)
	err = b.Write(figure.Figure{Name: name, Value: Round(them / us), Unit: "x", Ours: Round(us), Peer: peer, PeerValue: Round(them), Runs: b.Runs})
	return r.ours, r.peers, err
}

// Write records a figure.
func (b *Board) Write(f figure.Figure) error {
	f.Command, f.Date = b.Command, time.Now().UTC().Truncate(time.Second)
	return figure.Write(b.Figures, f)
}

// Print shows all results as a table.
func (b *Board) Print() {
	t := tabwriter.NewWriter(b.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nmedians\tours s\t+ sync\tCPU s\tMB\tpeer s\t+ sync\tCPU s\tMB\tratio\tof CPU\t")
	cpu := func(u Usage) float64 { return u.CPU.Seconds() }
	for _, r := range b.results {
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\t%.2f\t\n", r.name, columns(r.ours), columns(r.peers),
			Median(r.peers, Usage.Seconds)/Median(r.ours, Usage.Seconds), Median(r.peers, cpu)/Median(r.ours, cpu))
	}
	t.Flush()
	fmt.Fprintf(b.Out, "figures written to %s\n", b.Figures)
}

func columns(list []Usage) string {
	return strings.Join([]string{
		fmt.Sprintf("%.3f", Median(list, func(u Usage) float64 { return u.Wall.Seconds() })),
		fmt.Sprintf("%.2f", Median(list, func(u Usage) float64 { return u.Sync.Seconds() })),
		fmt.Sprintf("%.3f", Median(list, func(u Usage) float64 { return u.CPU.Seconds() })),
		fmt.Sprintf("%.0f", Median(list, Usage.Megabytes)),
	}, "\t")
}
