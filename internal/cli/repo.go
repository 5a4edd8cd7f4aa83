// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow/repos"
)

func repoCommand(s *session) *cobra.Command {
	return group("repo", "Build package repositories and hand them out", repoCreate(s), repoAdd(s), repoRemove(s), repoServe(s))
}

const repoAddLong = `Add puts packages into the database of a repository, as repo-add does, and makes
the database if it is not there. DB is its path: NAME.db.tar.gz, NAME.db.tar.zst
or NAME.db.tar; the files database and the links NAME.db and NAME.files follow.

A signature beside a package (FILE.sig) becomes part of its entry. With --sign,
packages without one are signed, and so are the databases. If one package cannot
be read, nothing is changed.`

// repoStory is one of the three changes of a database.
type repoStory func(ctx context.Context, r repos.Request) (repos.Result, error)

func repoCreate(s *session) *cobra.Command {
	var r repos.Request
	cmd := &cobra.Command{
		Use:   "create DB",
		Short: "Make an empty repository database",
		Example: `  rastos repo create site.db.tar.gz
  rastos repo create site.db.tar.gz --sign site.key --new-key 'Site <site@example.org>'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.repo(cmd, r, args[0], func(ctx context.Context, r repos.Request) (repos.Result, error) {
				return repos.Of(s.Machine).Create(ctx, s.sink(), r)
			})
		},
	}
	signFlags(cmd, &r)
	return cmd
}

func repoAdd(s *session) *cobra.Command {
	var r repos.Request
	cmd := &cobra.Command{
		Use:   "add DB PACKAGE...",
		Short: "Put packages into a repository database",
		Long:  repoAddLong,
		Example: `  rastos repo add site.db.tar.gz hello-1.0-1-any.pkg.tar.zst
  rastos repo add site.db.tar.gz *.pkg.tar.zst --sign site.key
  rastos repo add site.db.tar.gz *.pkg.tar.zst --only-new --remove-old`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.repo(cmd, r, args[0], func(ctx context.Context, r repos.Request) (repos.Result, error) {
				return repos.Of(s.Machine).Add(ctx, s.sink(), r, args[1:])
			})
		},
	}
	signFlags(cmd, &r)
	f := cmd.Flags()
	f.BoolVar(&r.OnlyNew, "only-new", false, "leave a package alone whose very version is in the database")
	f.BoolVar(&r.PreventDowngrade, "prevent-downgrade", false, "leave a package alone that is in the database in a newer version")
	f.BoolVar(&r.RemoveOld, "remove-old", false, "delete the archives of entries that are replaced")
	return cmd
}

func repoRemove(s *session) *cobra.Command {
	var r repos.Request
	cmd := &cobra.Command{
		Use:     "remove DB NAME...",
		Short:   "Take packages out of a repository database",
		Example: "  rastos repo remove site.db.tar.gz hello\n  rastos repo remove site.db.tar.gz hello --remove-old --sign site.key",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.repo(cmd, r, args[0], func(ctx context.Context, r repos.Request) (repos.Result, error) {
				return repos.Of(s.Machine).Remove(ctx, s.sink(), r, args[1:])
			})
		},
	}
	signFlags(cmd, &r)
	cmd.Flags().BoolVar(&r.RemoveOld, "remove-old", false, "delete the archives, too")
	return cmd
}

func signFlags(cmd *cobra.Command, r *repos.Request) {
	f := cmd.Flags()
	f.StringVar(&r.Key, "sign", "", "sign with the private key in this `file`")
	f.StringVar(&r.NewKey, "new-key", "", "make that key first, for this `person`; the public part goes beside it, with the ending .pub")
}

// repo runs one of the stories and shows what it did.
func (s *session) repo(cmd *cobra.Command, r repos.Request, db string, story repoStory) error {
	if r.NewKey != "" && r.Key == "" {
		return usage(cmd, errors.New("--new-key wants --sign, the file to put the key into"))
	}
	r.DB, r.Workers = db, s.config.Workers
	res, err := story(cmd.Context(), r)
	if err != nil {
		return err
	}
	if s.flags.json {
		return s.printJSON(res)
	}
	s.printRepo(res)
	return nil
}

func (s *session) printRepo(res repos.Result) {
	if res.Public != "" {
		fmt.Fprintf(s.Stdout, "key %s, public part in %s\n", res.Key, res.Public)
	}
	for _, file := range res.Signed {
		fmt.Fprintf(s.Stdout, "signed %s\n", file)
	}
	for _, entry := range res.Removed {
		fmt.Fprintf(s.Stdout, "removed %s\n", entry)
	}
	for _, p := range res.Added {
		fmt.Fprintf(s.Stdout, "added %s %s\n", p.Name, p.Version)
	}
	for _, skip := range res.Skipped {
		fmt.Fprintf(s.Stdout, "left %s alone: %s\n", skip.Entry, skip.Reason)
	}
	state := "not signed"
	if res.Key != "" {
		state = "signed"
	}
	fmt.Fprintf(s.Stdout, "%s: %d added, %d removed, %s\n", res.Database, len(res.Added), len(res.Removed), state)
}
