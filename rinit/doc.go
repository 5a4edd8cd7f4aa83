// SPDX-License-Identifier: GPL-3.0-or-later

// Package rinit reads, checks, formats and writes the service files of the
// service manager rinit, and knows the graph that services make.
//
// Implemented: the whole format as rinit has it (June 2023), with every mistake
// of a file told at once by line and column (Decode); a formatter that keeps
// comments (File.Format); writing a service (Encode); what services are to each
// other, with mistakes among them told by file and line (Link); in which order
// they start and stop (Graph.Start, Graph.Stop).
//
// What rinit cannot read although it is meant to be right is read here: options
// of bundles, "#" lines in [env], a "[" in a value that is no list, programs
// given by their path. A line without "=", which rinit passes over in silence, is
// a warning. What is ours and not rinit's are optional keys and the type virtual,
// marked in the tables of fields.go and listed in docs/services.md.
//
// Not implemented: running anything; that is a supervisor's work. Which services
// are enabled is not in service files and not known here.
package rinit
