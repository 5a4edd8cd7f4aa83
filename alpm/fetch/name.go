// SPDX-License-Identifier: GPL-3.0-or-later

package fetch

import (
	"mime"
	"net/http"
	"path"
	"path/filepath"
)

// takeName changes the destination to the name that the server has for the
// file, if the request allows that. A name with a path in it, or a hidden one,
// is not taken.
func (d *download) takeName(resp *http.Response) {
	if !d.req.TakeName {
		return
	}
	name := ""
	if _, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition")); err == nil {
		name = params["filename"]
	}
	if name == "" {
		name = path.Base(resp.Request.URL.Path)
	}
	if name != "" && plainName(name) {
		d.res.Path = filepath.Join(filepath.Dir(d.res.Path), name)
	}
}
