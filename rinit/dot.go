// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"fmt"
	"strings"
)

// lines are how Graphviz draws the relations.
var lines = map[Relation]string{
	DependsOn:   "",
	Contains:    "arrowhead=odiamond",
	Requires:    "style=dashed",
	RequiresOne: `style=dashed arrowhead=empty label="one of"`,
	ProvidedBy:  `style=dotted arrowhead=empty label="one of"`,
	Wants:       "arrowhead=vee color=gray40",
	After:       "style=dotted arrowhead=vee color=gray40",
}

// outlines are how Graphviz draws the types.
var outlines = map[Type]string{Bundle: "folder", Longrun: "box", Oneshot: "ellipse", Virtual: "diamond"}

// DOT writes the graph in the language of Graphviz: an arrow leads from a service
// to what comes before it, each runlevel is a box.
func (g *Graph) DOT() []byte {
	var out strings.Builder
	out.WriteString("digraph services {\n\trankdir=LR\n")
	for _, level := range []Runlevel{Boot, Default} {
		fmt.Fprintf(&out, "\tsubgraph cluster_%s {\n\t\tlabel=%s\n", level, level)
		for _, name := range g.Names() {
			s := g.services[name]
			if s.Runlevel != level {
				continue
			}
			fmt.Fprintf(&out, "\t\t%s [shape=%s", dotString(name), outlines[s.Type])
			if s.Description != "" {
				fmt.Fprintf(&out, " tooltip=%s", dotString(s.Description))
			}
			out.WriteString("]\n")
		}
		out.WriteString("\t}\n")
	}
	for _, e := range g.Edges() {
		fmt.Fprintf(&out, "\t%s -> %s", dotString(e.From), dotString(e.To))
		if style := lines[e.Relation]; style != "" {
			fmt.Fprintf(&out, " [%s]", style)
		}
		out.WriteByte('\n')
	}
	out.WriteString("}\n")
	return []byte(out.String())
}

// dotString quotes a string. Of the backslash sequences of labels, none may come
// about.
func dotString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
