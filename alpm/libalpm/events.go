// SPDX-License-Identifier: GPL-3.0-or-later

package libalpm

import (
	"path/filepath"
	"strings"

	"github.com/rastos/rastos/alpm/libalpm/wire"
	"github.com/rastos/rastos/alpm/trans"
)

// event passes on what the library tells, in the native engine's terms.
func (s *session) event(e wire.Event) {
	switch e.Source {
	case wire.SourceLog:
		s.logged(e)
	case wire.SourceDownload:
		s.download(e)
	case wire.SourceProgress:
		if e.Name == "integrity" {
			s.tell(trans.Event{Kind: trans.EventVerify, Name: e.Package, Done: e.Done, Total: e.Total, Finished: e.Percent == 100})
		}
	case wire.SourceEvent:
		s.happened(e)
	}
}

// logged keeps warnings and passes them on. What ends a transaction is told
// again by its error; what does not (a scriptlet that failed) is told here
// alone.
func (s *session) logged(e wire.Event) {
	switch {
	case s.quiet:
	case e.Name == "warning" || e.Name == "error" && s.started:
		s.warnings = append(s.warnings, e.Text)
		warning := trans.Event{Kind: trans.EventWarning, Name: s.at, Text: e.Text}
		if e.Name == "error" {
			warning.About = trans.AboutProgram
		}
		s.tell(warning)
	case s.log != nil:
		s.log(e.Text)
	}
}

func (s *session) download(e wire.Event) {
	out := trans.Event{Kind: trans.EventDownload, Name: e.File}
	if name, ok := strings.CutSuffix(e.File, ".db"); ok {
		out.Kind, out.Name = trans.EventSync, name
	}
	switch e.Name {
	case "init":
		out.Text = trans.TextBegun
	case "progress":
		out.Done, out.Total = e.Done, e.Total
	case "completed":
		if e.Result < 0 || out.Kind == trans.EventSync { // the call says how it went
			return
		}
		out.Done, out.Total, out.Finished = e.Total, e.Total, true
	default:
		return
	}
	if !e.Flag && !strings.HasSuffix(e.File, ".sig") {
		s.tell(out)
	}
}

// checks are the library's stages before the root is touched.
var checks = map[string]string{
	"keyring-start": trans.CheckKeyring, "integrity-start": trans.CheckIntegrity, "load-start": trans.CheckLoad,
	"fileconflicts-start": trans.CheckFiles, "diskspace-start": trans.CheckSpace,
}

func (s *session) happened(e wire.Event) {
	if check, ok := checks[e.Name]; ok {
		s.tell(trans.Event{Kind: trans.EventCheck, Name: check, Total: s.total})
		return
	}
	switch e.Name {
	case "pkg-retrieve-start":
		s.tell(trans.Event{Kind: trans.EventRetrieve, Done: e.Done, Total: e.Total})
	case "pkg-retrieve-done", "pkg-retrieve-failed":
		s.tell(trans.Event{Kind: trans.EventRetrieve, Finished: true})
	case "transaction-start":
		s.started = true
		s.tell(trans.Event{Kind: trans.EventStart})
	case "transaction-done":
		s.tell(trans.Event{Kind: trans.EventDone})
	case "package-operation-start":
		s.at, s.busy, s.operation = e.Package, e.Package, operation(e)
		s.tell(trans.Event{Kind: kind(e), Name: e.Package, Text: e.New, Done: s.done + 1, Total: s.total})
	case "package-operation-done":
		s.done, s.busy = s.done+1, ""
		s.tell(trans.Event{Kind: kind(e), Name: e.Package, Done: s.done, Total: s.total, Finished: true})
	case "scriptlet-info":
		s.tell(trans.Event{Kind: trans.EventOutput, Name: s.at, Text: strings.TrimRight(e.Text, "\n")})
	case "hook-run-start":
		s.at = e.File
		s.tell(trans.Event{Kind: trans.EventHook, Name: e.File, Text: e.Text, Done: e.Done, Total: e.Total})
	case "pacnew-created":
		s.tell(trans.Event{Kind: trans.EventPacnew, Name: e.Package, Path: s.below(e.File) + ".pacnew"})
	case "pacsave-created":
		s.tell(trans.Event{Kind: trans.EventPacsave, Name: e.Package, Path: s.below(e.File) + ".pacsave"})
	}
}

// below is a path of the library's as one below the root.
func (s *session) below(path string) string {
	root := strings.TrimSuffix(filepath.Clean(s.env.Root), "/")
	return strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
}

func operation(e wire.Event) string {
	switch e.Operation {
	case "install", "remove":
		return e.Operation
	}
	return "upgrade"
}

// kind tells a new version from the same one again, as the native engine does.
func kind(e wire.Event) trans.EventKind {
	switch e.Operation {
	case "remove":
		return trans.EventRemove
	case "install", "reinstall":
		return trans.EventInstall
	}
	return trans.EventUpgrade
}
