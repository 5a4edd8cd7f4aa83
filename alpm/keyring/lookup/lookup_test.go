// SPDX-License-Identifier: GPL-3.0-or-later

package lookup

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestDirectoryName has the example of the standard.
func TestDirectoryName(t *testing.T) {
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		w.Write([]byte("key"))
	}))
	defer server.Close()
	c := Client{Directory: server.URL + "/wkd/"}
	data, err := c.ByAddress(t.Context(), "Joe.Doe@Example.ORG")
	if err != nil || string(data) != "key" {
		t.Fatal(string(data), err)
	}
	if want := "/wkd/example.org/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe"; asked != want {
		t.Errorf("asked for %s, not %s", asked, want)
	}
}

func TestServer(t *testing.T) {
	answer := func(w http.ResponseWriter) { w.Write([]byte("key")) }
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		answer(w)
	}))
	defer server.Close()
	c := Client{Server: strings.Replace(server.URL, "http://", "hkp://", 1)}
	if _, err := c.ByFingerprint(t.Context(), "ABCD"); err != nil {
		t.Fatal(err)
	}
	if want := "/pks/lookup?op=get&options=mr&search=0xABCD"; asked != want {
		t.Errorf("asked for %s, not %s", asked, want)
	}
	answer = func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }
	if _, err := c.ByFingerprint(t.Context(), "ABCD"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	answer = func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }
	if _, err := c.ByFingerprint(t.Context(), "ABCD"); err == nil || errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	answer = func(w http.ResponseWriter) { w.Write(make([]byte, MaxKey+1)) }
	if _, err := c.ByFingerprint(t.Context(), "ABCD"); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Error(err)
	}
}

func TestAddresses(t *testing.T) {
	for _, bad := range []string{"", "joe", "@x", "joe@", "joe@host/path", "joe@host:80", "a@b@c"} {
		if _, err := (&Client{}).ByAddress(t.Context(), bad); err == nil {
			t.Errorf("%q was asked for", bad)
		}
	}
	for server, want := range map[string]string{
		"hkps://keys.example": "https://keys.example", "hkp://keys.example": "http://keys.example:11371",
		"http://keys.example:80/": "http://keys.example:80", "ftp://x": "", "keys.example": "", "": "",
	} {
		got, err := serverURL(server)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", server, got, err)
		}
	}
}
