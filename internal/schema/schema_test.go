// SPDX-License-Identifier: GPL-3.0-or-later

package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pelletier/go-toml/v2"

	"github.com/rastos/rastos/internal/mistake"
)

// sample has a field of every kind.
type sample struct {
	Name  string            `toml:"name" need:"yes" check:"word" doc:"A name."`
	On    *bool             `toml:"on" default:"true"`
	Off   bool              `toml:"off"`
	Count int               `toml:"count" min:"1" max:"9" default:"3"`
	Maybe *int              `toml:"maybe"`
	Size  double            `toml:"size"`
	List  []string          `toml:"list" check:"word" nonempty:"yes" unique:"yes"`
	Mode  string            `toml:"mode" enum:"fast|slow" laterenum:"warp"`
	Env   map[string]string `toml:"env" keys:"word"`
	Sub   sub               `toml:"sub"`
	Items []entry           `toml:"item" unique:"name"`
	Soon  string            `toml:"soon" later:"it is not built yet"`

	Hidden string `toml:"-"`
}

type sub struct {
	Key   string  `toml:"key"`
	Inner []entry `toml:"inner"`
}

type entry struct {
	Name string `toml:"name" need:"yes"`
	N    int    `toml:"n"`
}

type double string

func (d *double) UnmarshalText(b []byte) error {
	if len(b)%2 != 0 {
		return errors.New("has an odd length")
	}
	*d = double(b)
	return nil
}

func sampleSchema() *Schema {
	return Of(sample{}, Options{Title: "sample", Formats: map[string]Format{
		"word": {Doc: "a word", Pattern: "^[a-z]+$", Check: func(s string) error {
			if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") != "" {
				return errors.New("is no word")
			}
			return nil
		}},
	}})
}

func TestDecodeSetsEveryKind(t *testing.T) {
	src := `
name = "x"
on = false
count = 0x7
maybe = -1_000
size = "ab"
list = ["a", "b"] # comment
mode = 'slow'
env.a = "1"
sub.key = """
multi"""
item = [{name = "one", n = 1}, {name = "two"}]
[[sub.inner]]
name = "deep"
`
	var got sample
	_, wrong := sampleSchema().Decode("f", []byte(src), &got)
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	off, thousand := false, -1000
	want := sample{
		Name: "x", On: &off, Count: 7, Maybe: &thousand, Size: "ab", List: []string{"a", "b"}, Mode: "slow",
		Env: map[string]string{"a": "1"}, Sub: sub{Key: "multi", Inner: []entry{{Name: "deep"}}},
		Items: []entry{{"one", 1}, {"two", 0}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// mistakesOf decodes and returns "line:column message" of each mistake.
func mistakesOf(src string) []string {
	var v sample
	_, wrong := sampleSchema().Decode("f", []byte(src), &v)
	out := []string{}
	for _, m := range wrong {
		s := fmt.Sprintf("%d:%d %s", m.Line, m.Column, m.Message)
		if m.Hint != "" {
			s += " (" + m.Hint + ")"
		}
		out = append(out, s)
	}
	return out
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name, src string
		want      []string
	}{
		{"empty file", "", []string{`1:1 the file has no "name", which must be given`}},
		{"unknown key, near", "name='x'\nlits = []\n", []string{`2:1 unknown key "lits" in the file (did you mean "list"?)`}},
		{"unknown key, far", "name='x'\n[sub]\nzzzzzz = 1\n", []string{`3:1 unknown key "zzzzzz" in [sub] (known here: key, inner)`}},
		{"a later key is never suggested", "name='x'\nsoom = 1\n",
			[]string{`2:1 unknown key "soom" in the file (known here: name, on, off, count, maybe, size, list, mode, env, sub, item)`}},
		{"unknown table", "name='x'\n[subb]\na=1\n", []string{`2:2 unknown table "subb" in the file (did you mean "sub"?)`}},
		{"later key", "name='x'\nsoon = 'y'\n", []string{`2:1 "soon" in the file is not supported in this version of rastos: it is not built yet`}},
		{"later value", "name='x'\nmode = 'warp'\n", []string{`2:8 mode = "warp" is not supported in this version of rastos`}},
		{"bad enum", "name='x'\nmode = 'fats'\n", []string{`2:8 mode = "fats" is not one of "fast", "slow" (did you mean "fast"?)`}},
		{"wrong kinds", "name=1\non='yes'\ncount='1'\nlist='a'\nenv=1\nsub=2\nitem=3\nsize=4\n", []string{
			`1:6 "name" wants a string in quotes, not the number 1`,
			`2:4 "on" wants true or false, not the string "yes"`,
			`3:7 "count" wants a whole number, not the string "1"`,
			`4:6 "list" wants a list of strings, not the string "a" (write list = ["a"])`,
			`5:5 "env" wants a table of strings, not the number 1`,
			`6:5 "sub" wants a table, not the number 2`,
			`7:6 "item" wants a list of tables, not the number 3`,
			`8:6 "size" wants a string in quotes, not the number 4`,
		}},
		{"table for list of tables", "name='x'\n[item]\nname='a'\n", []string{`2:2 "item" wants a list of tables, not a table (write [[item]])`}},
		{"list of tables for table", "name='x'\n[[sub]]\n", []string{`2:3 "sub" wants a table, not a list of tables (write [sub])`}},
		{"bounds", "name='x'\ncount = 10\n", []string{`2:9 "count" is 10, but must be at most 9`}},
		{"huge", "name='x'\ncount = 99999999999999999999\n", []string{`2:9 99999999999999999999 is too large`}},
		{"date", "name = 1979-05-27\n", []string{`1:8 "name" wants a string in quotes, not a date or time`}},
		{"list contents", "name='x'\nlist = ['a', 1, 'B', 'a']\n", []string{
			`2:14 "list" wants strings in quotes, not the number 1`,
			`2:17 "B" is no word (wanted: a word)`,
			`2:22 list "a" is given twice: the first is at line 2`,
		}},
		{"empty list", "name='x'\nlist = []\n", []string{`2:8 "list" lists nothing`}},
		{"missing in a list of tables", "name='x'\n[[item]]\nname='a'\n[[item]]\nn=1\n", []string{`4:3 [[item]] has no "name", which must be given`}},
		{"duplicate names", "name='x'\n[[item]]\nname='a'\n[[item]]\nname='a'\n", []string{`5:6 [[item]] name "a" is given twice: the first is at line 3`}},
		{"key twice", "name='x'\nname='y'\n", []string{`2:1 "name" is set a second time: the first is at line 1`}},
		{"table twice", "name='x'\n[sub]\nkey='a'\n[sub]\nkey='b'\n", []string{
			`4:2 table [sub] is opened a second time: the first is at line 2`,
			`5:1 "key" is set a second time: the first is at line 3`,
		}},
		{"dotted then header", "name='x'\nsub.key='a'\n[sub]\n", []string{`3:2 table [sub] is opened a second time: the first is at line 2`}},
		{"inline table extended", "name='x'\nsub={key='a'}\n[sub.more]\n", []string{`3:2 "sub" cannot be extended here: it is set at line 2`}},
		{"map contents", "name='x'\n[env]\na = 1\nB = 'x'\n", []string{
			`3:5 "a" in "env" wants a string in quotes, not the number 1`,
			`4:1 "B" is no word (wanted: a word)`,
		}},
		{"text type", "name='x'\nsize='abc'\n", []string{`2:6 "abc" has an odd length`}},
		{"columns count characters", "name='x'\nsub = {key = 'ü', kye = 1}\n", []string{`2:19 unknown key "kye" in [sub] (did you mean "key"?)`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, mistakesOf(c.src)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOneSyntaxErrorHidesNothing: what is wrong after broken lines is told
// all the same, and what the broken lines hold is not called missing.
func TestOneSyntaxErrorHidesNothing(t *testing.T) {
	got := mistakesOf(`name = = "x"
list = ["a",
[sub]
kye = "x"
mode
[[item]
n = 1
[[item]]
n = "two"
`)
	want := []string{
		`1:8 unexpected character U+003D '=' at start of value (strings are written in double quotes)`,
		`3:2 unexpected character U+0073 's' at start of value (strings are written in double quotes)`,
		`4:1 unknown key "kye" in [sub] (did you mean "key"?)`,
		`5:5 expected '=' after key`,
		`6:7 expected ']]' to close array table name`,
		`7:1 unknown key "n" in [sub] (known here: key, inner)`,
		`8:3 [[item]] has no "name", which must be given`,
		`9:5 "n" wants a whole number, not the string "two"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestHostileFilesAreRefusedQuickly(t *testing.T) {
	for name, src := range map[string]string{
		"deep brackets": "name = " + strings.Repeat("[", 500000),
		"large":         strings.Repeat("#", MaxSize+1),
		"many errors":   strings.Repeat("= 1\n", 10000),
		"no UTF-8":      "name = \"\xff\"",
		"NUL":           "name = \"a\x00b\"",
	} {
		got := mistakesOf(src)
		if len(got) == 0 || len(got) > maxSyntax {
			t.Errorf("%s: %d mistakes", name, len(got))
		}
	}
}

func TestDocKnowsPlaces(t *testing.T) {
	var v sample
	doc, _ := sampleSchema().Decode("f", []byte("name='x'\n[[item]]\nname='a'\n"), &v)
	for path, want := range map[string]string{
		"item[0].name": "3:1", "item[0].n": "2:3", "item": "2:3", "nowhere": "1:1",
	} {
		m := doc.Mistake(path, "x", "")
		if got := fmt.Sprintf("%d:%d", m.Line, m.Column); got != want {
			t.Errorf("%s stands at %s, want %s", path, got, want)
		}
	}
	if !doc.Has("item[0].name") || doc.Has("item[0].n") || doc.Line("name") != 1 || doc.Line("x") != 0 {
		t.Error("Has or Line is wrong")
	}
}

// TestJSONSchemaHasTheSameKeys compares the exported schema with the struct
// by another way than the code goes.
func TestJSONSchemaHasTheSameKeys(t *testing.T) {
	var got struct {
		Schema     string         `json:"$schema"`
		Properties map[string]any `json:"properties"`
		Required   []string       `json:"required"`
		Additional bool           `json:"additionalProperties"`
	}
	data := sampleSchema().JSON()
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	typ := reflect.TypeFor[sample]()
	for i := range typ.NumField() {
		tag := typ.Field(i).Tag
		if key := tag.Get("toml"); key != "-" && tag.Get("later") == "" {
			want[key] = true
		}
	}
	for key := range got.Properties {
		if !want[key] {
			t.Errorf("%q is in the schema only", key)
		}
		delete(want, key)
	}
	if len(want) > 0 || got.Additional || !cmp.Equal(got.Required, []string{"name"}) {
		t.Errorf("not in the schema: %v; required %v", want, got.Required)
	}
	if !bytes.Equal(data, sampleSchema().JSON()) {
		t.Error("two exports differ")
	}
}

func TestWrongTagsPanic(t *testing.T) {
	for name, v := range map[string]any{
		"type": struct {
			F float64 `toml:"f"`
		}{},
		"format": struct {
			F string `toml:"f" check:"nope"`
		}{},
		"bound": struct {
			F int `toml:"f" min:"x"`
		}{},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			Of(v, Options{})
		}()
	}
}

// FuzzDecode holds the decoder against go-toml's own: what it finds without
// mistake, go-toml must read to the same values, strictly.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"name = \"x\"\n[[item]]\nname = \"a\"\n", "sub.key = 'x'\nname='y'", "[sub]\n[sub.x]\n[sub]", "a = [[[1]]]", "name = {a.b=1}",
		"name = 'x'\nitem = [{name='a'}, {name='b', n=0o7}]", "= \n[", "name='x'\nenv = {a='b'}\n[env.c]", "\"na\\u006de\" = 'x'", "name='x'\r\non=true\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var ours sample
		_, wrong := sampleSchema().Decode("f", src, &ours)
		for _, m := range wrong {
			if m.Line < 1 || m.Column < 1 || m.Length < 1 || m.Message == "" {
				t.Fatalf("mistake %+v", m)
			}
			m.Excerpt()
		}
		var again sample
		_, second := sampleSchema().Decode("f", src, &again)
		if diff := cmp.Diff(wrong, second, cmpopts.EquateEmpty(), cmp.AllowUnexported(mistake.Mistake{})); diff != "" {
			t.Fatalf("two runs differ: %s", diff)
		}
		if len(wrong) > 0 {
			return
		}
		var theirs sample
		dec := toml.NewDecoder(bytes.NewReader(src))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&theirs); err != nil {
			t.Fatalf("go-toml refuses what was found clean: %v", err)
		}
		if diff := cmp.Diff(theirs, ours, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("go-toml reads other values: %s", diff)
		}
	})
}
