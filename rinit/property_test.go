// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// services draws a service, as Decode would return it.
func services(t *rapid.T) Service {
	name := rapid.StringMatching(`[a-zA-Zäß_][a-z0-9.@:+_-]{0,12}`)
	s := NewService(name.Draw(t, "name"), rapid.SampledFrom(everyType).Draw(t, "type"))
	other := name.Filter(func(n string) bool { return n != s.Name })
	names := func(label string, least int) []string {
		out := rapid.SliceOfNDistinct(other, least, 9, rapid.ID).Draw(t, label)
		if len(out) == 0 {
			return nil
		}
		return out
	}
	sorted := func(label string, least int) []string {
		out := names(label, least)
		slices.Sort(out)
		return out
	}
	s.Description = rapid.StringMatching(`([a-z=\[\]()#"'é]([a-z \t=#\[\]]*[a-z=\])])?)?`).Draw(t, "description")
	s.Runlevel = rapid.SampledFrom([]Runlevel{Boot, Default}).Draw(t, "runlevel")
	s.Autostart = rapid.Bool().Draw(t, "autostart")
	switch s.Type {
	case Bundle:
		s.Contents = sorted("contents", 1)
		return s
	case Virtual:
		s.Providers = names("providers", 1)
		return s
	case Longrun:
		s.Run = script(t, "run")
		if rapid.Bool().Draw(t, "has finish") {
			s.Finish = script(t, "finish")
		}
	case Oneshot:
		s.Start = script(t, "start")
		if rapid.Bool().Draw(t, "has stop") {
			s.Stop = script(t, "stop")
		}
	}
	s.Dependencies, s.Requires, s.RequiresOne = sorted("dependencies", 0), sorted("requires", 0), sorted("requires-one", 0)
	s.Wants, s.After = sorted("wants", 0), sorted("after", 0)
	for _, variable := range rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Z_][A-Z0-9_\[.(]{0,5}`), 0, 4, rapid.ID).Draw(t, "env") {
		s.Env = append(s.Env, Variable{variable, texts().Draw(t, "value")})
	}
	return s
}

// texts draws what may stand in a value of [env]: anything but a zero byte.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringMatching(`[ -~]{0,20}`), rapid.String().Filter(func(s string) bool { return !strings.Contains(s, "\x00") }))
}

func script(t *rapid.T, label string) *Script {
	line := rapid.OneOf(rapid.StringMatching(`[ -~\t]{0,20}`), rapid.SampledFrom([]string{"", "[run]", " )", "exit (1)", "# no comment", "a = b"}))
	lines := rapid.SliceOfN(line.Filter(func(l string) bool { return strings.TrimRight(l, " \t") != ")" }), 0, 5).Draw(t, label)
	x := NewScript(rapid.SampledFrom([]string{"bash", "sh", "path"}).Draw(t, "prefix"), strings.Join(append(lines, "true"), "\n")+"\n")
	millis := rapid.Uint32()
	x.Timeout = time.Duration(millis.Draw(t, "timeout")) * time.Millisecond
	x.TimeoutKill = time.Duration(millis.Draw(t, "timeout_kill")) * time.Millisecond
	x.MaxDeaths = int(rapid.Byte().Draw(t, "max_deaths"))
	x.DownSignal = rapid.SampledFrom(signals).Draw(t, "down_signal")
	x.User = rapid.SampledFrom([]string{"", "root", "anna"}).Draw(t, "user")
	x.Group = rapid.SampledFrom([]string{"", "wheel"}).Draw(t, "group")
	x.Notify = rapid.IntRange(NoNotify, 255).Draw(t, "notify")
	return x
}

// TestRoundTrip: what is written is read back as it was, and is in the form.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := services(t)
		data, err := Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Decode(s.Name+SystemExt, data)
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if diff := cmp.Diff(s, f.Service); diff != "" {
			t.Fatalf("%s\n%s", diff, data)
		}
		if diff := cmp.Diff(string(data), string(f.Format())); diff != "" {
			t.Fatalf("formatting changes what Encode wrote:\n%s", diff)
		}
	})
}

// TestMessySpellings: blanks, comments and line ends change nothing of what a
// file says, and formatting takes all but comments and single blank lines out again.
func TestMessySpellings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := services(t)
		data, err := Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		messy, comments := mess(t, string(data))
		f, err := Decode("", []byte(messy))
		if err != nil {
			t.Fatalf("%v\n%s", err, messy)
		}
		if diff := cmp.Diff(s, f.Service); diff != "" {
			t.Fatalf("%s\n%s", diff, messy)
		}
		tidy := string(f.Format())
		for _, c := range comments {
			if !strings.Contains(tidy, c+"\n") {
				t.Fatalf("the comment %q is lost:\n%s", c, tidy)
			}
			tidy = strings.Replace(tidy, c+"\n", "", 1)
		}
		again, err := Decode("", []byte(tidy))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(dense(string(data)), dense(string(again.Format()))); diff != "" {
			t.Fatal(diff)
		}
	})
}

// dense leaves blank lines out: one beside a comment stays when it goes.
func dense(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return line == "" })
}

// mess spells a file in another way, and returns the comments that it put in.
func mess(t *rapid.T, data string) (messy string, comments []string) {
	var out strings.Builder
	inCode, inList := false, false
	end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end of lines")
	for i, line := range strings.Split(strings.TrimSuffix(data, "\n"), "\n") {
		blanks := rapid.SampledFrom([]string{"", " ", "\t "})
		switch {
		case inCode:
			inCode = line != ")"
		case inList:
			inList = line != "]"
			line = blanks.Draw(t, "before") + line
		default:
			if i >= 2 && line != "" {
				line = blanks.Draw(t, "before") + line
			}
			key, value, found := strings.Cut(line, " = ")
			inCode, inList = found && value == "(" && strings.TrimSpace(key) == "execute", found && value == "["
			if found {
				line = key + blanks.Draw(t, "around") + "=" + blanks.Draw(t, "around") + value + blanks.Draw(t, "behind")
			}
		}
		out.WriteString(line + end)
		if i > 1 && !inCode && !inList && rapid.IntRange(0, 3).Draw(t, "comment") == 0 {
			c := "#§" + rapid.StringMatching(`[a-z=\[\]() ]{0,9}[a-z]`).Draw(t, "text")
			comments = append(comments, c)
			out.WriteString(blanks.Draw(t, "before") + c + end + strings.Repeat(end, rapid.IntRange(0, 2).Draw(t, "blank lines")))
		}
	}
	return out.String(), comments
}

func TestNotWritable(t *testing.T) {
	for name, change := range map[string]func(*Service){
		"a description of two lines": func(s *Service) { s.Description = "a\n[env]" },
		"blanks at the end":          func(s *Service) { s.Description = "a " },
		"code that ends the code":    func(s *Service) { s.Run.Execute = "a\n)\nb\n" },
		"code without an end":        func(s *Service) { s.Run.Execute = "a" },
		"half a millisecond":         func(s *Service) { s.Run.Timeout = time.Millisecond / 2 },
		"a list that is not sorted":  func(s *Service) { s.Dependencies = []string{"c", "b"} },
		"a variable with a break":    func(s *Service) { s.Env = []Variable{{"A\nB", "c"}} },
		"a bundle that runs":         func(s *Service) { s.Type = Bundle },
	} {
		s := NewService("a", Longrun)
		s.Run = NewScript("sh", "true\n")
		if _, err := Encode(s); err != nil {
			t.Fatal(err)
		}
		change(&s)
		data, err := Encode(s)
		var wrong Mistakes
		if !errors.Is(err, ErrNotWritable) && !errors.As(err, &wrong) {
			t.Errorf("%s: %v\n%s", name, err, data)
		}
	}
}

// FuzzDecode: nothing makes Decode fall over; what it accepts is formatted into
// something that says the same, once and for all.
func FuzzDecode(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.system")
	if err != nil || len(seeds) < 2 {
		f.Fatal(seeds, err)
	}
	for _, seed := range seeds {
		data, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, seed := range []string{
		"name = v\ntype = virtual\n# x\n\n#y\n[options]\nproviders = [ b a ]\nautostart = no\n", "name = b\ntype = bundle\n[options]\ncontents = [ a\nb\n]\nstray\n",
		"name = o\r\ntype = oneshot\r\n[start]\r\nprefix = sh\r\nexecute = (\r\ntrue\r\r\n)\r\n[env]\r\nA[ = \"\\u{e9}\" '\r\n", "name=\ntype=\n[", "[options]\n=[\n](", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Decode("", data)
		var wrong Mistakes
		if err != nil && !errors.As(err, &wrong) {
			t.Fatalf("error of another kind: %v", err)
		}
		for _, m := range append(wrong, file.Warnings...) {
			m.Excerpt()
		}
		if err != nil {
			return
		}
		tidy := file.Format()
		again, err := Decode("", tidy)
		if err != nil {
			t.Fatalf("%v\n%s", err, tidy)
		}
		if diff := cmp.Diff(file.Service, again.Service, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		if twice := again.Format(); string(twice) != string(tidy) {
			t.Fatalf("formatting twice differs:\n%s", cmp.Diff(string(tidy), string(twice)))
		}
		// The service alone, without comments, can be written too.
		if encoded, err := Encode(file.Service); err != nil {
			t.Fatalf("%v\n%s", err, encoded)
		}
	})
}

func FuzzUnquote(f *testing.F) {
	for _, seed := range []string{``, `a`, `'a "b"'`, `"\u{1f41a}\n\\"`, `"\`, `"\u`, `"\u{110000}"`, `' x`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		value, _, err := unquote(s)
		if err != nil || strings.ContainsRune(value, 0) || !validText(value) {
			return
		}
		if back, open, err := unquote(quote(value)); err != nil || open || back != value {
			t.Fatalf("%q became %q, %v, %v", value, back, open, err)
		}
	})
}

func validText(s string) bool { return strings.ToValidUTF8(s, "") == s }
