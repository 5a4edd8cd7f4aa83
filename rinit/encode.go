// SPDX-License-Identifier: GPL-3.0-or-later

package rinit

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNotWritable is a service of which no file can be made: what it holds is not
// what would be read back.
var ErrNotWritable = errors.New("cannot be written as a service file")

// Encode writes a service in the form of File.Format. What holds where a key is
// absent is left out. The error is an ErrNotWritable, or the Mistakes of the file
// that it would be.
func Encode(s Service) ([]byte, error) {
	f := &File{name: part{value: s.Name}, kind: part{value: string(s.Type)}}
	for _, k := range sectionKinds {
		f.parts = append(f.parts, k.encode(&s)...)
	}
	data := f.Format()
	back, err := Decode(s.Name, data)
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", s.Name, err)
	}
	if !reflect.DeepEqual(back.Service, s) {
		return nil, fmt.Errorf("service %s: %w", s.Name, ErrNotWritable)
	}
	return data, nil
}

// encode makes the parts of one section; none, if it says nothing.
func (k sectionKind) encode(s *Service) []part {
	script, initial := (*Script)(nil), NewScript("", "")
	if k.script != nil {
		if script = *k.script(s); script == nil {
			return nil
		}
	}
	plain := NewService("", "")
	parts := []part{{shape: header, key: k.name}}
	if k.name == env {
		for _, v := range s.Env {
			parts = append(parts, part{shape: scalar, key: v.Name, value: quote(v.Value)})
		}
	}
	for _, f := range fieldsOf(k, s.Type) {
		value := f.at(s, script)
		if reflect.DeepEqual(value, f.at(&plain, initial)) {
			continue
		}
		p := f.encode(value)
		p.section = k.name
		parts = append(parts, p)
	}
	if len(parts) == 1 {
		return nil
	}
	return parts
}

func (f field) encode(value any) part {
	p := part{shape: scalar, key: f.key}
	switch v := value.(type) {
	case *[]string:
		p.shape = list
		for _, w := range slices.Clone(*v) {
			p.words = append(p.words, word{text: w})
		}
	case *bool:
		p.value = "no"
		if *v {
			p.value = "yes"
		}
	case *int:
		p.value = strconv.Itoa(*v)
	case *time.Duration:
		p.value = strconv.FormatInt(v.Milliseconds(), 10)
	case *string:
		p.value = *v
		if f.code {
			p.shape = code
			if p.value != "" && !strings.HasSuffix(p.value, "\n") {
				p.value += "\n"
			}
		}
	}
	return p
}
