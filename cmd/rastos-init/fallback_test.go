// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/disk"
	"github.com/rastos/rastos/internal/testkit"
	"github.com/rastos/rastos/internal/vm"
)

// uefiDisk is a whole disk: a partition table, an ESP, and the file system.
type uefiDisk struct {
	path string
	part disk.Partition
}

func makeUEFIDisk(t *testing.T, image string) uefiDisk {
	t.Helper()
	st, err := os.Stat(image)
	check(t, err)
	d := uefiDisk{path: filepath.Join(t.TempDir(), "whole.img")}
	layout, err := disk.System(st.Size()+310<<20, 300<<20, "x86_64", disk.IDs{
		Disk: "6a1f3a52-9f6e-4d0b-8f0a-0d1c2b3a4f5e",
		ESP:  "6b1f3a52-9f6e-4d0b-8f0a-0d1c2b3a4f5e",
		Root: "6d1f3a52-9f6e-4d0b-8f0a-0d1c2b3a4f5e",
	})
	check(t, err)
	f, err := os.Create(d.path)
	check(t, err)
	defer f.Close()
	check(t, f.Truncate(layout.Size))
	check(t, disk.WriteTable(f, layout))
	d.part = layout.Partitions[0]
	_, err = disk.FormatESP(f, d.part, "ESP", 0x12345678, time.Now)
	check(t, err)
	data, err := os.ReadFile(image)
	check(t, err)
	_, err = f.WriteAt(data, layout.Partitions[1].Start)
	check(t, err)
	return d
}

// esp gives the partition to body while no machine runs.
func (d uefiDisk) esp(t *testing.T, body func(boot.ESP)) {
	t.Helper()
	f, err := os.OpenFile(d.path, os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	esp, err := disk.OpenESP(f, d.part, time.Now)
	check(t, err)
	body(esp)
	check(t, esp.Sync())
}

func entryFiles(t *testing.T, esp boot.ESP) []string {
	t.Helper()
	infos, err := esp.ReadDir(boot.EntriesDir)
	check(t, err)
	var names []string
	for _, i := range infos {
		names = append(names, i.Name())
	}
	slices.Sort(names)
	return names
}

// TestFallback: the newest entry's init ends at once. The machine tries it as
// often as its counter says, and then boots the entry before it, by itself. An
// entry that is tried after that and works is blessed.
func TestFallback(t *testing.T) {
	testkit.Integration(t)
	testkit.NeedOVMF(t)
	k := testkit.NeedKernel(t)
	loader := testkit.NeedLoader(t, k)
	init := buildInit(t)
	d := makeUEFIDisk(t, testDisk{
		nodes: []testNode{{id: "1"}, {id: "2", panics: true}},
		deploys: map[string]string{
			"1": `{"etc": "etc.0"}`, "2": `{"etc": "etc.0"}`, "3": `{"etc": "etc.0"}`,
		},
		init: init,
	}.partition(t))
	kernel, err := os.ReadFile(k.Image)
	check(t, err)
	initrd := makeInitrd(t, k, init)
	entry := func(esp boot.ESP, node, number string, tries int) {
		linux, err := boot.PutBlob(esp, boot.Linux, kernel)
		check(t, err)
		rd, err := boot.PutBlob(esp, boot.Initrd, initrd)
		check(t, err)
		check(t, boot.WriteEntry(esp, boot.Entry{
			Title: "node " + node, Version: number, SortKey: "rastos",
			Linux: boot.BlobPath(linux, boot.Linux), Initrd: []string{boot.BlobPath(rd, boot.Initrd)},
			Options: nodeOptions(node, number) + " quiet no_timer_check",
		}, "rastos-"+number, tries))
	}
	d.esp(t, func(esp boot.ESP) {
		check(t, boot.InstallLoader(esp, loader, boot.LoaderOptions{}))
		entry(esp, "1", "1", 0)
		entry(esp, "2", "2", 2)
	})
	state := filepath.Join(t.TempDir(), "vars.fd")
	t.Run("falls back", func(t *testing.T) { fallsBack(t, d, state) })
	d.esp(t, func(esp boot.ESP) {
		if got, want := entryFiles(t, esp), []string{"rastos-1.conf", "rastos-2+0-2.conf"}; !slices.Equal(got, want) {
			t.Errorf("the entries are %q, want %q", got, want)
		}
		entry(esp, "1", "3", 3)
	})
	t.Run("is blessed", func(t *testing.T) { isTried(t, d, state) })
	d.esp(t, func(esp boot.ESP) {
		check(t, boot.Bless(esp, "rastos-3"))
		if got, want := entryFiles(t, esp), []string{"rastos-1.conf", "rastos-2+0-2.conf", "rastos-3.conf"}; !slices.Equal(got, want) {
			t.Errorf("the entries are %q, want %q", got, want)
		}
	})
}

func startUEFI(t *testing.T, d uefiDisk, state string) *vm.Machine {
	t.Helper()
	return testkit.StartVM(t, vm.Config{
		UEFI: &vm.UEFI{State: state}, Disks: []vm.Disk{{Path: d.path, Volatile: true}}, Memory: 512,
	})
}

func fallsBack(t *testing.T, d uefiDisk, state string) {
	m := startUEFI(t, d, state)
	_, err := m.WaitAgent(deadline(t, 5*time.Minute))
	check(t, err)
	if got := output(t, m, "cat", "/node", "/etc/which"); got != "1etc.0 of deployment 1" {
		t.Errorf("running: %q", got)
	}
	if m.Resets() < 2 || strings.Count(m.SerialText(), "init of node 2") != 2 {
		t.Errorf("%d resets; the bad node was not tried twice", m.Resets())
	}
	vars := efivars(t, m)
	if _, err := boot.LoaderBootCountPath(vars); err == nil {
		t.Error("an entry without a counter is counted")
	}
	if n, err := boot.LoaderEntrySelected(vars); err != nil || n != boot.Good("rastos-1") {
		t.Errorf("selected %+v, error %v", n, err)
	}
}

func isTried(t *testing.T, d uefiDisk, state string) {
	m := startUEFI(t, d, state)
	_, err := m.WaitAgent(deadline(t, 5*time.Minute))
	check(t, err)
	if got := output(t, m, "cat", "/node", "/etc/which"); got != "1etc.0 of deployment 3" {
		t.Errorf("running: %q", got)
	}
	vars := efivars(t, m)
	path, err := boot.LoaderBootCountPath(vars)
	if err != nil || path != "loader/entries/rastos-3+2-1.conf" {
		t.Errorf("counted as %q, error %v", path, err)
	}
	if n, err := boot.LoaderEntrySelected(vars); err != nil || n.Base != "rastos-3" {
		t.Errorf("selected %+v, error %v", n, err)
	}
	output(t, m, "sync")
}

// efivars brings the loader's variables out of the machine, as its kernel
// shows them.
func efivars(t *testing.T, m *vm.Machine) fs.FS {
	t.Helper()
	output(t, m, "mount", "-t", "efivarfs", "efivarfs", boot.EFIVarsDir)
	dir := t.TempDir()
	for name := range strings.FieldsSeq(output(t, m, "ls", boot.EFIVarsDir)) {
		if !strings.HasPrefix(name, "Loader") {
			continue
		}
		f, err := os.Create(filepath.Join(dir, name))
		check(t, err)
		_, err = m.Agent().Get(t.Context(), boot.EFIVarsDir+"/"+name, f)
		check(t, err)
		check(t, f.Close())
	}
	return os.DirFS(dir)
}
