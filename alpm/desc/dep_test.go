// SPDX-License-Identifier: GPL-3.0-or-later

package desc_test

import (
	"testing"

	"github.com/rastos/rastos/alpm/desc"
)

func TestParseDep(t *testing.T) {
	for text, want := range map[string]desc.Dep{
		"a":                  {Name: "a"},
		"a=1":                {Name: "a", Op: desc.Eq, Version: "1"},
		"a<1":                {Name: "a", Op: desc.Lt, Version: "1"},
		"a<=1":               {Name: "a", Op: desc.Le, Version: "1"},
		"a>1":                {Name: "a", Op: desc.Gt, Version: "1"},
		"a>=1:2-3":           {Name: "a", Op: desc.Ge, Version: "1:2-3"},
		"a: for this: and b": {Name: "a", Description: "for this: and b"},
		"a>=1:2: with it":    {Name: "a", Op: desc.Ge, Version: "1:2", Description: "with it"},
		"libfoo.so=1-64":     {Name: "libfoo.so", Op: desc.Eq, Version: "1-64"},
		"":                   {},
		"a=":                 {Name: "a", Op: desc.Eq},
		"g++":                {Name: "g++"},
	} {
		got := desc.ParseDep(text)
		if got != want {
			t.Errorf("ParseDep(%q) = %+v, want %+v", text, got, want)
		}
		if got.String() != text {
			t.Errorf("ParseDep(%q).String() = %q", text, got)
		}
	}
}

func TestSatisfies(t *testing.T) {
	p := &desc.Package{Name: "foo", Version: "1:2.0-3", Provides: []string{"bar", "baz=5", "qux>=1", "foo=9", "foobar=1"}}
	for text, want := range map[string]bool{
		"foo": true, "foo=1:2.0-3": true, "foo=1:2.0": true, "foo>=1:2": true, "foo<1:2": true, "foo>3": true, // the former by its provide
		"foo=2.0": false, "foo=9": true, "foo>1:9": false,
		"bar": true, "bar=1": false, "bar>=0": false, // an unversioned provide meets no version
		"baz": true, "baz=5": true, "baz>=4": true, "baz>5": false,
		"qux": true, "qux=1": false, "qux>=1": false, // only = gives a provide a version
		"fo": false, "foob": false, "foobar": true, "nothing": false,
	} {
		if got := p.Satisfies(desc.ParseDep(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if n := testing.AllocsPerRun(10, func() { p.Satisfies(desc.ParseDep("baz>=4")) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
