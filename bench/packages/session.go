// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rastos/rastos/alpm/syncdb"
	"github.com/rastos/rastos/bench/figure"
)

// session is one run of the benchmark.
type session struct {
	opt     *options
	dir     string // ours alone, on a tmpfs
	repo    string // the repository's directory
	gpg     string // keyring for the signed runs
	masks   string // directory of links to /dev/null, one for each hook of the packages
	names   []string
	version string // "pacman 6.0.2"
	results []result
}

// result is one line of the table.
type result struct {
	name        string
	ours, peers []usage
	peer        string
}

func newSession(ctx context.Context, o *options) (s *session, err error) {
	s = &session{opt: o}
	if s.repo, err = filepath.Abs(filepath.Join(o.repos, o.set)); err != nil {
		return nil, err
	}
	db, err := syncdb.Open(filepath.Join(s.repo, o.set+".db"))
	if err != nil {
		return nil, fmt.Errorf("%w (`make bench-packages` builds the repository)", err)
	}
	var packed, installed int64
	for _, p := range db.Packages() {
		s.names = append(s.names, p.Name)
		packed, installed = packed+p.CompressedSize, installed+p.InstalledSize
	}
	if s.version, err = pacmanVersion(ctx); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp(o.work, "rastos-bench-"); err != nil {
		return nil, err
	}
	s.gpg, s.masks = filepath.Join(s.dir, "gnupg"), filepath.Join(s.dir, "masks")
	err = makeKeyring(ctx, s.gpg, filepath.Join(s.repo, o.set+".pub"))
	if err == nil {
		err = maskHooks(s.masks, filepath.Join(s.repo, o.set+".files"))
	}
	if err != nil {
		s.close()
		return nil, err
	}
	fmt.Printf("%d packages, %d MB packed, %d MB installed; %d processors; against %s\n",
		db.Len(), packed>>20, installed>>20, runtime.NumCPU(), s.version)
	return s, nil
}

func (s *session) close() { os.RemoveAll(s.dir) }

var versionPattern = regexp.MustCompile(`Pacman v(\S+)`)

func pacmanVersion(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "pacman", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("pacman --version: %w", err)
	}
	m := versionPattern.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("pacman --version says no version")
	}
	return "pacman " + string(m[1]), nil
}

// say tells of one run.
func (s *session) say(name, who string, run int, u usage) {
	fmt.Printf("%s %d/%d: %-8s %6.2f s + %.2f s sync, %6.2f s CPU, %4.0f MB\n",
		name, run+1, s.opt.runs, who, u.wall.Seconds(), u.sync.Seconds(), u.cpu.Seconds(), u.megabytes())
}

// ratio records a figure that compares times.
func (s *session) ratio(r result) error {
	s.results = append(s.results, r)
	ours, peer := median(r.ours, usage.seconds), median(r.peers, usage.seconds)
	return s.write(figure.Figure{Name: r.name, Value: round(peer / ours), Unit: "x", Ours: round(ours), Peer: r.peer, PeerValue: round(peer), Runs: len(r.ours)})
}

func (s *session) write(f figure.Figure) error {
	f.Command, f.Date = "make bench-packages", time.Now().UTC().Truncate(time.Second)
	if s.opt.set != "bench" {
		f.Command += " SET=" + s.opt.set
	}
	return figure.Write(s.opt.figures, f)
}

func (s *session) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nmedians\tours s\t+ sync\tCPU s\tMB\tpeer s\t+ sync\tCPU s\tMB\tratio\t")
	for _, r := range s.results {
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\t\n", r.name, columns(r.ours), columns(r.peers),
			median(r.peers, usage.seconds)/median(r.ours, usage.seconds))
	}
	t.Flush()
	fmt.Fprintf(w, "figures written to %s\n", s.opt.figures)
}

func columns(list []usage) string {
	return strings.Join([]string{
		fmt.Sprintf("%.2f", median(list, func(u usage) float64 { return u.wall.Seconds() })),
		fmt.Sprintf("%.2f", median(list, func(u usage) float64 { return u.sync.Seconds() })),
		fmt.Sprintf("%.2f", median(list, func(u usage) float64 { return u.cpu.Seconds() })),
		fmt.Sprintf("%.0f", median(list, usage.megabytes)),
	}, "\t")
}
