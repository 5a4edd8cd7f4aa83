// SPDX-License-Identifier: GPL-3.0-or-later

package flow

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/rastos/rastos/internal/boot"
	"github.com/rastos/rastos/internal/boot/loadoption"
)

// secondChances gives the firmware one boot option for the boot loader more than a
// deployment has tries. A loader whose kernel cannot be loaded returns to the
// firmware: then it is started again, and in the end takes another entry. Where
// there is no firmware that keeps options, there is nothing to do.
func (m *Machine) secondChances(efivars fs.FS) error {
	esp, err := boot.LoaderPartition(efivars)
	if err != nil {
		return nil // not booted by our loader, or not by UEFI: no second chance to give
	}
	root, err := m.Tree("/")
	if err != nil {
		return err
	}
	defer root.Close()
	part, err := partition(root, esp)
	if err != nil {
		return fmt.Errorf("boot options of the firmware: %w", err)
	}
	var options [][]byte
	for i := range m.tries() + 1 {
		title := "rastOS"
		if i > 0 {
			title = fmt.Sprintf("rastOS (try %d)", i+1)
		}
		o, err := loadoption.Encode(title, part, boot.LoaderFile)
		if err != nil {
			return err
		}
		options = append(options, o)
	}
	plan, err := loadoption.Plan(efivars, options)
	if err != nil {
		return fmt.Errorf("boot options of the firmware: %w", err)
	}
	for _, v := range plan {
		// One write is one change of a variable; there is no name to rename.
		if err := os.WriteFile(path.Join(boot.EFIVarsDir, v.Name), v.Data, 0o644); err != nil {
			return fmt.Errorf("boot options of the firmware: %w", err)
		}
	}
	return nil
}

// partition finds where a partition lies by the UUID of its entry in the GPT.
func partition(root Tree, uuid string) (loadoption.Partition, error) {
	p := loadoption.Partition{UUID: uuid}
	link, err := root.Readlink("dev/disk/by-partuuid/" + strings.ToLower(uuid))
	if err != nil {
		return p, err
	}
	part := path.Base(link)
	if link, err = root.Readlink("sys/class/block/" + part); err != nil {
		return p, err
	}
	disk := path.Base(path.Dir(link))
	var number, start, size, block uint64
	for _, f := range []struct {
		name string
		to   *uint64
	}{
		{part + "/partition", &number}, {part + "/start", &start}, {part + "/size", &size},
		{disk + "/queue/logical_block_size", &block},
	} {
		text, err := root.ReadFile("sys/class/block/" + f.name)
		if err != nil {
			return p, err
		}
		if *f.to, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err != nil {
			return p, fmt.Errorf("/sys/class/block/%s: %w", f.name, err)
		}
	}
	const sector = 512 // the unit of start and size, whatever the disk's own is
	block = max(block, sector) / sector
	p.Number, p.Start, p.Size = uint32(number), start/block, size/block
	return p, nil
}
