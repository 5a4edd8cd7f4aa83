// SPDX-License-Identifier: GPL-3.0-or-later

package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rastos/rastos/internal/flow/services"
	"github.com/rastos/rastos/rinit"
)

func serviceGraph(s *session) *cobra.Command {
	var r services.GraphRequest
	var dot, order bool
	cmd := &cobra.Command{
		Use:   "graph [SERVICE...]",
		Short: "Show what services are to each other",
		Long: `Graph shows services as a tree: below each what comes before it, and why. With
names, these and all that comes before them.

--order shows what starts together, one group after the other, of the names or
else of all services that start by themselves; and how they stop again.`,
		Example: `  rastos service graph
  rastos service graph nginx --from ./services
  rastos service graph --order
  rastos service graph --dot > services.dot`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if dot && order {
				return usage(cmd, errors.New("--dot and --order are two answers: give one of them"))
			}
			r.Names = args
			g, err := services.Of(s.Machine).Graph(r)
			if err != nil {
				return s.serviceMistakes(err)
			}
			switch {
			case s.flags.json:
				return s.printJSON(g)
			case dot:
				_, err = s.Stdout.Write(g.Graph.DOT())
				return err
			case order:
				s.printOrder(g)
			default:
				s.printServices(g)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&r.Paths, "from", nil, "a service file or a `folder` of them, in place of the system's; may be given again")
	f.StringVar(&r.Root, "root", "", "look for the system's folders below this `folder`")
	f.BoolVar(&r.User, "user", false, "the services of users (NAME.user) in the folders that are given")
	f.BoolVar(&dot, "dot", false, "write the graph for Graphviz")
	f.BoolVar(&order, "order", false, "show the order of starting and stopping")
	return cmd
}

// printOrder shows the groups that start, or stop, together.
func (s *session) printOrder(g services.Graph) {
	for _, part := range []struct {
		verb  string
		plans []services.LevelPlan
	}{{"start", g.Start}, {"stop", g.Stop}} {
		for _, p := range part.plans {
			fmt.Fprintln(s.Stdout, s.outStyle().Bold(fmt.Sprintf("%s %s", part.verb, p.Runlevel)))
			for i, wave := range p.Steps.Waves() {
				fmt.Fprintf(s.Stdout, "%4d  %s\n", i+1, strings.Join(wave, " "))
			}
		}
	}
}

// relationWords are how a tree says what a service is to the one above it.
var relationWords = map[rinit.Relation]string{
	rinit.DependsOn: "", rinit.Contains: "", rinit.Requires: "requires ", rinit.RequiresOne: "one of: ",
	rinit.ProvidedBy: "one of: ", rinit.Wants: "wants ", rinit.After: "after ",
}

// printServices prints each service that comes before no other as a tree.
func (s *session) printServices(g services.Graph) {
	shown := map[string]bool{}
	for _, level := range []rinit.Runlevel{rinit.Boot, rinit.Default} {
		var top []rinit.Edge
		for _, n := range g.Services {
			if n.Runlevel == level && !coveredBefore(g.Graph, n.Name, level) {
				top = append(top, rinit.Edge{To: n.Name})
			}
		}
		if len(top) > 0 {
			fmt.Fprintln(s.Stdout, s.outStyle().Bold(string(level)))
			s.printServiceEdges(g.Graph, top, "", shown)
		}
	}
}

// coveredBefore tells whether a service stands below another one of its runlevel.
func coveredBefore(g *rinit.Graph, name string, level rinit.Runlevel) bool {
	for _, e := range g.Behind(name) {
		if g.Service(e.From).Runlevel == level {
			return true
		}
	}
	return false
}

func (s *session) printServiceEdges(g *rinit.Graph, edges []rinit.Edge, indent string, shown map[string]bool) {
	style := s.outStyle()
	for i, e := range edges {
		branch, next := "├─ ", "│  "
		if i == len(edges)-1 {
			branch, next = "└─ ", "   "
		}
		service := g.Service(e.To)
		note := string(service.Type)
		if !service.Autostart {
			note += ", by hand"
		}
		if service.Description != "" {
			note += ": " + service.Description
		}
		below := g.Before(e.To)
		if shown[e.To] && len(below) > 0 {
			note, below = "see above", nil
		}
		shown[e.To] = true
		fmt.Fprintf(s.Stdout, "%s%s%s%s  %s\n", indent, branch, relationWords[e.Relation], style.Bold(e.To), style.Dim(note))
		s.printServiceEdges(g, below, indent+next, shown)
	}
}
