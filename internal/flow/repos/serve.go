// SPDX-License-Identifier: GPL-3.0-or-later

package repos

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/rastos/rastos/alpm/repo"
	"github.com/rastos/rastos/internal/report"
)

// Serving says which folder is served where.
type Serving struct {
	Dir    string // of one repository, or with several below it
	Listen string // host:port; port 0: any free one
}

// Served is one answer of Serve.
type Served = repo.Served

// Serve hands out the repositories in a folder by HTTP until ctx ends.
// ready is told the address once requests are answered; served hears of each.
func (m Repos) Serve(ctx context.Context, r Serving, ready func(url string), served func(Served)) error {
	root, err := os.OpenRoot(r.Dir)
	if err != nil {
		return fmt.Errorf("serve %s: %w", r.Dir, err)
	}
	defer root.Close()
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", r.Listen)
	if err != nil {
		return report.WithHint(fmt.Errorf("serve %s: %w", r.Dir, err), "--listen wants HOST:PORT, and a port that nobody else listens on")
	}
	ready("http://" + l.Addr().String())
	server := &repo.Server{Root: root, Log: served, Now: m.Now}
	return server.Serve(ctx, l)
}
