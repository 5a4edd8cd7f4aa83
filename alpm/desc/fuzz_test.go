// SPDX-License-Identifier: GPL-3.0-or-later

package desc_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rastos/rastos/alpm/desc"
)

// roundTrip asks of any record that is taken that it can be written, and then
// reads the same.
func roundTrip(f *testing.F, decode func([]byte) (*desc.Package, error), encode func(*desc.Package) ([]byte, error)) {
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decode(data)
		if err != nil {
			return
		}
		out, err := encode(p)
		if err != nil {
			t.Skip() // fields that the format takes but we do not write
		}
		again, err := decode(out)
		if err != nil {
			t.Fatalf("%v\nreading what was written: %q", err, out)
		}
		if diff := cmp.Diff(p, again); diff != "" {
			t.Fatalf("%s\nof %q", diff, data)
		}
	})
}

func seeds(f *testing.F, patterns ...string) {
	for _, pattern := range patterns {
		for _, data := range files(f, pattern) {
			f.Add(data)
		}
	}
}

func FuzzLocal(f *testing.F) {
	seeds(f, "local/*.desc", "sync/*.desc")
	roundTrip(f, desc.DecodeLocal, desc.EncodeLocal)
}

func FuzzSync(f *testing.F) {
	seeds(f, "sync/*.desc")
	roundTrip(f, func(data []byte) (*desc.Package, error) {
		p, err := desc.DecodeSync(data)
		if p != nil {
			p.Files, p.Backup, p.XData = nil, nil, nil // not of desc
		}
		return p, err
	}, desc.EncodeSync)
}

func FuzzFiles(f *testing.F) {
	seeds(f, "local/*.files")
	roundTrip(f, func(data []byte) (*desc.Package, error) {
		p := new(desc.Package)
		return p, desc.DecodeFiles(data, p)
	}, desc.EncodeFiles)
}

func FuzzPKGINFO(f *testing.F) {
	seeds(f, "*.pkginfo")
	roundTrip(f, func(data []byte) (*desc.Package, error) {
		p, err := desc.DecodePKGINFO(data)
		if p != nil && p.Base == "" {
			p.Base = p.Name // as it is written
		}
		return p, err
	}, desc.EncodePKGINFO)
}

func FuzzDep(f *testing.F) {
	f.Add("a>=1:2-3: what for")
	f.Fuzz(func(t *testing.T, text string) {
		d := desc.ParseDep(text)
		if again := desc.ParseDep(d.String()); again != d {
			t.Fatalf("%q: %+v, then %+v", text, d, again)
		}
	})
}
