// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"fmt"
	"io"
	"path"

	"github.com/rastos/rastos/alpm/keyring"
)

// takeKeys puts into the root's keyring what its new keyring packages taught.
// Their scriptlets may have done that already, or could not: there may be no
// gpg, or no private key that it can use. The files are in their places, so
// that a keyring which cannot be written is told and stops nothing.
func (r *runner) takeKeys(context.Context) error {
	if r.env.Keys == nil || r.opt.DBOnly {
		return nil
	}
	for _, name := range r.teachers {
		done, err := r.populate(name)
		switch {
		case err != nil:
			r.tell(Event{Kind: EventWarning, Name: name, About: AboutKeys, Err: err, Text: fmt.Sprintf("its keys are not in the keyring yet: %v", err)})
		case done != nil && !done.Empty():
			r.tell(Event{Kind: EventPopulate, Name: name, Args: done.Keys(), Finished: true})
		}
	}
	return nil
}

// populate reads the keyrings of an installed package where they are now.
func (r *runner) populate(name string) (*keyring.Populated, error) {
	p := r.local.Package(name)
	if p == nil {
		return nil, nil // left to who changed it after the interruption
	}
	if err := loadFileList(r.local, p); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, f := range p.Files {
		if !isKeyringFile(f) {
			continue
		}
		data, err := r.read(f)
		if err != nil {
			return nil, err
		}
		files[path.Base(f)] = data
	}
	keyrings, err := keyring.DecodeKeyrings(files)
	if err != nil || len(keyrings) == 0 {
		return nil, err
	}
	return r.env.Keys.Populate(keyrings)
}

// maxKeyring bounds one file of a keyring.
const maxKeyring = maxMeta

func (r *runner) read(name string) ([]byte, error) {
	f, err := r.tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeyring+1))
	if err == nil && len(data) > maxKeyring {
		err = fmt.Errorf("/%s is too large for keys", name)
	}
	return data, err
}
