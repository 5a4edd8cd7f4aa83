// SPDX-License-Identifier: GPL-3.0-or-later

package loadoption

import (
	"encoding/hex"
	"testing"
	"testing/fstest"
)

func option(t *testing.T, title string) []byte {
	t.Helper()
	o, err := Encode(title, Partition{Number: 1, Start: 0x800, Size: 0x100000, UUID: "6b1f3a52-9f6e-4d0b-8f0a-0d1c2b3a4f5e"}, "EFI/a.efi")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// By hand from the specification; the machine tests let a real firmware boot one.
func TestEncode(t *testing.T) {
	const want = "01000000" + "4800" + "52000000" + // active, length of the paths, "R"
		"04012a00" + "01000000" + "0008000000000000" + "0000100000000000" + "523a1f6b6e9f0b4d8f0a0d1c2b3a4f5e" + "0202" +
		"04041a00" + "5c00450046004900" + "5c0061002e00650066006900" + "0000" + // \EFI\a.efi
		"7fff0400"
	if got := hex.EncodeToString(option(t, "R")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := Encode("R", Partition{UUID: "none"}, "a"); err == nil {
		t.Error("a partition without a UUID was accepted")
	}
}

// firmware holds variables, and takes those of a plan.
type firmware struct{ fstest.MapFS }

func (f firmware) put(name string, data ...byte) {
	f.MapFS[name+global] = &fstest.MapFile{Data: append([]byte{attributes, 0, 0, 0}, data...)}
}

func (f firmware) plan(t *testing.T, options ...[]byte) []string {
	t.Helper()
	plan, err := Plan(f, options)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range plan {
		f.MapFS[v.Name] = &fstest.MapFile{Data: v.Data}
		names = append(names, v.Name[:len(v.Name)-len(global)])
	}
	return names
}

func (f firmware) order() string {
	data, err := value(f, "BootOrder"+global)
	if err != nil {
		return err.Error()
	}
	return hex.EncodeToString(data)
}

func TestPlan(t *testing.T) {
	f := firmware{fstest.MapFS{}}
	f.put("Boot0000", 1)
	f.put("Boot0002", 2)
	f.put("BootOrder", 2, 0, 0, 0) // the option 2, then 0
	f.put("BootCurrent", 2, 0)
	a, b := option(t, "a"), option(t, "b")
	if got := f.plan(t, a, b); len(got) != 3 || got[0] != "Boot0001" || got[1] != "Boot0003" || got[2] != "BootOrder" {
		t.Errorf("wrote %q", got)
	}
	if got := f.order(); got != "0200"+"0100"+"0300"+"0000" {
		t.Errorf("order %s", got)
	}
	if again := f.plan(t, a, b); len(again) != 0 {
		t.Errorf("a second time wrote %q", again)
	}
	// Somebody's firmware forgot one of the order.
	f.put("BootOrder", 0, 0, 1, 0)
	if got := f.plan(t, a, b); len(got) != 1 || f.order() != "0300"+"0000"+"0100" {
		t.Errorf("wrote %q, order %s", got, f.order())
	}
}

func TestPlanForAFirmwareWithoutOptions(t *testing.T) {
	f := firmware{fstest.MapFS{}}
	if got := f.plan(t, option(t, "a")); len(got) != 2 || f.order() != "0000" {
		t.Errorf("wrote %q, order %s", got, f.order())
	}
	f.put("BootOrder", 1)
	if _, err := Plan(f, nil); err == nil {
		t.Error("half a number was read as an order")
	}
}
