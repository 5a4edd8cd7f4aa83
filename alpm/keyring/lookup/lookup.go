// SPDX-License-Identifier: GPL-3.0-or-later

// Package lookup finds OpenPGP keys on the network.
//
// Implemented: web key directories (draft-koch-openpgp-webkey-service, the
// advanced and the direct method), and key servers by fingerprint
// (draft-gallagher-openpgp-hkp, over HTTP and HTTPS).
//
// Not implemented: LDAP, DNS, searching by name, uploading. What is found is
// not checked here: whoever answers may send anything.
package lookup

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// MaxKey bounds an answer, in bytes.
const MaxKey = 4 << 20

// ErrNotFound is a key that a directory or server does not have.
var ErrNotFound = errors.New("the key is not there")

// A Client asks for keys.
type Client struct {
	HTTP *http.Client // nil: http.DefaultClient
	// Directory is a mirror of web key directories: URL/DOMAIN/hu/HASH; "": the
	// hosts of the domains themselves.
	Directory string
	// Server is a key server: hkps://host, hkp://host, or a URL.
	Server string
}

// ByAddress asks the web key directory of an e-mail address.
func (c *Client) ByAddress(ctx context.Context, address string) ([]byte, error) {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || domain == "" || strings.ContainsAny(domain, "/?#@:") {
		return nil, fmt.Errorf("%q is no e-mail address", address)
	}
	domain = strings.ToLower(domain)
	sum := sha1.Sum([]byte(strings.ToLower(local)))
	file := "hu/" + zbase32(sum[:]) + "?l=" + url.QueryEscape(local)
	places := []string{
		"https://openpgpkey." + domain + "/.well-known/openpgpkey/" + domain + "/" + file,
		"https://" + domain + "/.well-known/openpgpkey/" + file,
	}
	if c.Directory != "" {
		places = []string{strings.TrimSuffix(c.Directory, "/") + "/" + domain + "/" + file}
	}
	var failed error
	for _, place := range places {
		data, err := c.get(ctx, place)
		if err == nil {
			return data, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

// ByFingerprint asks the key server.
func (c *Client) ByFingerprint(ctx context.Context, fingerprint string) ([]byte, error) {
	base, err := serverURL(c.Server)
	if err != nil {
		return nil, err
	}
	return c.get(ctx, base+"/pks/lookup?op=get&options=mr&search=0x"+url.QueryEscape(fingerprint))
}

// CheckServer tells whether a key server's address can be understood.
func CheckServer(server string) error {
	_, err := serverURL(server)
	return err
}

// hkpPort is that of key servers without encryption.
const hkpPort = "11371"

func serverURL(server string) (string, error) {
	u, err := url.Parse(server)
	if err == nil && u.Host == "" {
		err = errors.New("no host is named")
	}
	if err != nil {
		return "", fmt.Errorf("key server %q: %w", server, err)
	}
	switch u.Scheme {
	case "http", "https":
	case "hkps":
		u.Scheme = "https"
	case "hkp":
		u.Scheme = "http"
		if u.Port() == "" {
			u.Host += ":" + hkpPort
		}
	default:
		return "", fmt.Errorf("key server %q: %q is none of hkps, hkp, https and http", server, u.Scheme)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

func (c *Client) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("look for a key: %w", err)
	}
	req.Header.Set("User-Agent", "rastos")
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("look for a key: %w", err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusGone:
		return nil, fmt.Errorf("%s: %w", req.URL.Redacted(), ErrNotFound)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("look for a key: %s: %s", req.URL.Redacted(), resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxKey+1))
	if err != nil {
		return nil, fmt.Errorf("look for a key: %s: %w", req.URL.Redacted(), err)
	}
	if len(data) > MaxKey {
		return nil, fmt.Errorf("look for a key: %s: the answer is larger than %d bytes", req.URL.Redacted(), MaxKey)
	}
	return data, nil
}

// zbase32 is the base-32 encoding of web key directories.
func zbase32(data []byte) string {
	const alphabet = "ybndrfg8ejkmcpqxot1uwisza345h769"
	var out strings.Builder
	bits, held := 0, 0
	for _, b := range data {
		held = held<<8 | int(b)
		for bits += 8; bits >= 5; {
			bits -= 5
			out.WriteByte(alphabet[held>>bits&31])
		}
		held &= 1<<bits - 1
	}
	if bits > 0 {
		out.WriteByte(alphabet[held<<(5-bits)&31])
	}
	return out.String()
}
