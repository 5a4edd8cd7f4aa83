// SPDX-License-Identifier: GPL-3.0-or-later

package service

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// A Definition is a service that a manifest defines in place.
type Definition struct {
	Name        string // ".service" may be left out
	Description string
	Command     string // program with its arguments, quoted as in a unit file; $ and % mean themselves
	Type        string // simple, exec, oneshot, notify, forking; empty: simple
	Restart     string // no, on-failure, always; empty: no
	User        string // empty: root
	Environment map[string]string
	After       []string // units; ".service" may be left out
}

// Define writes the service as a unit file and enables it.
func Define(root FS, d Definition) error {
	name := FullName(d.Name)
	text, err := d.unitFile(name)
	if err != nil {
		return err
	}
	if err := root.MkdirAll(configDir, 0o755); err != nil {
		return fmt.Errorf("define service %s: %w", name, err)
	}
	file := configDir + "/" + name
	// A link there would be an alias or a mask: the manifest is above both.
	if _, err := root.Readlink(file); err == nil {
		if err := root.Remove(file); err != nil {
			return fmt.Errorf("define service %s: %w", name, err)
		}
	}
	if err := root.WriteFile(file, []byte(text), 0o644); err != nil {
		return fmt.Errorf("define service %s: %w", name, err)
	}
	_, err = Enable(root, name)
	return err
}

// definedMark begins a unit file that Define wrote.
const definedMark = "# Written by rastos from the manifest: change it there.\n"

// Undefine removes the unit file of a service that Define wrote; another's
// stays. Links to it are Disable's.
func Undefine(root FS, name string) error {
	file := configDir + "/" + FullName(name)
	text, err := root.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !strings.HasPrefix(string(text), definedMark) {
		return nil
	}
	if err == nil {
		err = root.Remove(file)
	}
	if err != nil {
		return fmt.Errorf("take service %s back: %w", FullName(name), err)
	}
	return nil
}

func (d Definition) unitFile(name string) (string, error) {
	fail := func(format string, args ...any) (string, error) {
		return "", &Error{Unit: name, Reason: fmt.Sprintf(format, args...)}
	}
	if !validName(name) || !strings.HasSuffix(name, ".service") || strings.Contains(name, "@") {
		return fail("is no name for a service")
	}
	if !strings.HasPrefix(d.Command, "/") {
		return fail("its command does not begin with the path of a program")
	}
	lines := []string{d.Description, d.Command, d.Type, d.Restart, d.User}
	for key, value := range d.Environment {
		lines = append(lines, key, value)
	}
	for _, value := range lines {
		if strings.ContainsAny(value, "\n\r\x00") {
			return fail("a line break is in one of its values")
		}
	}
	if strings.HasSuffix(d.Command, `\`) || strings.HasSuffix(d.Description, `\`) {
		return fail("a value ends in a backslash, which would join it with the next line")
	}

	var out strings.Builder
	out.WriteString(definedMark + "[Unit]\n")
	set := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&out, "%s=%s\n", key, value)
		}
	}
	set("Description", strings.ReplaceAll(d.Description, "%", "%%"))
	for _, unit := range d.After {
		if unit = FullName(unit); !validName(unit) {
			return fail("%q in after is no name of a unit", unit)
		}
		set("After", unit)
	}
	out.WriteString("\n[Service]\n")
	set("Type", d.Type)
	set("ExecStart", strings.NewReplacer("%", "%%", "$", "$$").Replace(d.Command))
	set("Restart", d.Restart)
	if d.User != "root" {
		set("User", d.User)
	}
	keys := make([]string, 0, len(d.Environment))
	for key := range d.Environment {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		set("Environment", quote(key+"="+d.Environment[key]))
	}
	out.WriteString("\n[Install]\nWantedBy=multi-user.target\n")
	return out.String(), nil
}

// quote writes a word so that systemd reads it back as it is.
func quote(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "\t", `\t`).Replace(word) + `"`
}
