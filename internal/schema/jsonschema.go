// SPDX-License-Identifier: GPL-3.0-or-later

package schema

import (
	"bytes"
	"encoding/json"
	"strings"
)

// JSON returns the table of keys as a JSON schema (draft 2020-12), for
// editors. Keys that this version does not support are left out, so an editor
// marks them as Decode does.
func (s *Schema) JSON() []byte {
	root := s.root.json(s.opt)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = s.opt.Title
	root["description"] = s.opt.Description
	if s.opt.ID != "" {
		root["$id"] = s.opt.ID
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		// Only strings, numbers, maps and lists go in.
		panic("schema: " + err.Error())
	}
	return b.Bytes()
}

func (s *section) json(opt Options) map[string]any {
	properties := map[string]any{}
	required := []string{}
	for _, f := range s.fields {
		if f.later != "" {
			continue
		}
		properties[f.key] = f.json(opt)
		if f.need {
			required = append(required, f.key)
		}
	}
	out := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func (f *field) json(opt Options) map[string]any {
	var out map[string]any
	switch f.kind {
	case kindBool:
		out = map[string]any{"type": "boolean"}
		if f.deflt != "" {
			out["default"] = f.deflt == "true"
		}
	case kindInt:
		out = map[string]any{"type": "integer"}
		if f.deflt != "" {
			out["default"] = json.Number(f.deflt)
		}
	case kindStrings:
		out = map[string]any{"type": "array", "items": f.stringJSON(opt)}
		if f.unique != "" {
			out["uniqueItems"] = true
		}
		if f.nonempty {
			out["minItems"] = 1
		}
		if f.deflt != "" {
			out["default"] = strings.Split(f.deflt, ", ")
		}
	case kindMap:
		out = map[string]any{"type": "object", "additionalProperties": f.stringJSON(opt)}
		if p := opt.Formats[f.keyFormat].Pattern; p != "" {
			out["propertyNames"] = map[string]any{"pattern": p}
		}
	case kindTable:
		out = f.section.json(opt)
	case kindTables:
		out = map[string]any{"type": "array", "items": f.section.json(opt)}
		if f.need {
			out["minItems"] = 1
		}
	default:
		out = f.stringJSON(opt)
		if f.deflt != "" {
			out["default"] = f.deflt
		}
	}
	if f.doc != "" {
		out["description"] = f.doc
	}
	if f.min != nil {
		out["minimum"] = *f.min
	}
	if f.max != nil {
		out["maximum"] = *f.max
	}
	return out
}

// stringJSON describes the string, or each string, that the field holds.
func (f *field) stringJSON(opt Options) map[string]any {
	out := map[string]any{"type": "string"}
	if len(f.enum) > 0 {
		out["enum"] = f.enum
	}
	if format := opt.Formats[f.format]; format.Pattern != "" {
		out["pattern"] = format.Pattern
	}
	return out
}
