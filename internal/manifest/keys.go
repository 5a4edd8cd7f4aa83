// SPDX-License-Identifier: GPL-3.0-or-later

package manifest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// KeyChange is one key that two manifests have in different ways. Was or Is is
// empty where one lacks it. An element of a list of values is a change of its own.
type KeyChange struct {
	Key string `json:"key"` // system.hostname, user[anna].groups
	Was string `json:"was,omitempty"`
	Is  string `json:"is,omitempty"`
}

// KeyChanges compares the texts of two manifests by their keys. Order and
// comments are no difference; nothing is checked, since an old one need not obey
// the rules of today.
func KeyChanges(before, now []byte) ([]KeyChange, error) {
	a, err := keysOf(before)
	if err != nil {
		return nil, err
	}
	b, err := keysOf(now)
	if err != nil {
		return nil, err
	}
	var out []KeyChange
	for k, was := range a {
		out = append(out, changesOf(k, was, b[k])...)
	}
	for k, is := range b {
		if _, both := a[k]; !both {
			out = append(out, changesOf(k, nil, is)...)
		}
	}
	slices.SortFunc(out, func(a, b KeyChange) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Was, b.Was), cmp.Compare(a.Is, b.Is))
	})
	return out, nil
}

func changesOf(key string, was, is []string) (out []KeyChange) {
	if len(was) == 1 && len(is) == 1 {
		if was[0] != is[0] {
			out = append(out, KeyChange{Key: key, Was: was[0], Is: is[0]})
		}
		return out
	}
	for _, v := range was {
		if !slices.Contains(is, v) {
			out = append(out, KeyChange{Key: key, Was: v})
		}
	}
	for _, v := range is {
		if !slices.Contains(was, v) {
			out = append(out, KeyChange{Key: key, Is: v})
		}
	}
	return out
}

func keysOf(text []byte) (map[string][]string, error) {
	var doc map[string]any
	if err := toml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("read a manifest: %w", err)
	}
	out := map[string][]string{}
	flatten(out, "", doc)
	return out, nil
}

// flatten names each value by its way through the tables.
func flatten(out map[string][]string, key string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			name := k
			if key != "" {
				name = key + "." + k
			}
			flatten(out, name, v[k])
		}
	case []any:
		for i, e := range v {
			table, ok := e.(map[string]any)
			if !ok {
				out[key] = append(out[key], shown(e))
				continue
			}
			// A table of a list is known by its name, as people know it.
			name := fmt.Sprint(i + 1)
			for _, k := range []string{"name", "unit", "device"} {
				if s, ok := table[k].(string); ok {
					name = s
					break
				}
			}
			flatten(out, key+"["+name+"]", table)
		}
	default:
		out[key] = append(out[key], shown(value))
	}
}

func shown(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}
