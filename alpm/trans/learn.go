// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/pkgfile"
)

// learn judges once more what lacks nothing but a trusted key, by the keyring
// as the keyring packages of the plan leave it. Only packages whose own
// signature the keyring trusts as it is may teach it: what their scriptlets
// would do to it one change later they may do now.
//
// It is one change all the same. Nothing is installed before every archive is
// verified, so which package comes first in it makes no difference to trust.
func (d *downloader) learn(ctx context.Context, wrong []error) ([]error, error) {
	if !d.env.LearnKeys || d.env.Keyring == nil {
		return wrong, nil
	}
	var again []*Step
	var rest []error
	for _, err := range wrong {
		if st := d.untrusted(err); st != nil {
			again = append(again, st)
		} else {
			rest = append(rest, err)
		}
	}
	if len(again) == 0 {
		return wrong, nil
	}
	teachers, keyrings, err := d.teachers()
	if err != nil || len(keyrings) == 0 {
		return wrong, err
	}
	taught, err := d.env.Keyring.Taught(keyrings)
	if err != nil {
		return nil, fmt.Errorf("keys of %s: %w", strings.Join(teachers, ", "), err)
	}
	env := *d.env
	env.Keyring = taught
	d.env = &env
	errs, err := d.prove(ctx, again, nil)
	for _, e := range errs {
		if e != nil {
			rest = append(rest, e)
		}
	}
	return rest, err
}

// untrusted is the step whose signature may be as good as any, if only its key
// were known and trusted; nil for other failures.
func (d *downloader) untrusted(err error) *Step {
	var failed *VerifyError
	var sig *keyring.Error
	if !errors.As(err, &failed) || !errors.As(failed.Err, &sig) {
		return nil
	}
	switch sig.Reason {
	case keyring.Unknown, keyring.Untrusted, keyring.Expired:
	default:
		return nil
	}
	at := slices.IndexFunc(d.plan.Install, func(st Step) bool { return archivePath(d.env, &st) == failed.Path })
	if at < 0 {
		return nil
	}
	return &d.plan.Install[at]
}

// teachers are the packages of the plan that are proven by their signature and
// whose installed versions have keyrings, and the keyrings that they bring.
func (d *downloader) teachers() (names []string, keyrings []keyring.Keyring, err error) {
	local, err := openLocal(d.env)
	if err != nil {
		return nil, nil, err
	}
	for i := range d.plan.Install {
		st := &d.plan.Install[i]
		where := archivePath(d.env, st)
		proof, ok := d.plan.proven[where]
		old := local.Package(st.Package.Name)
		if !ok || old == nil || !slices.Contains(proof.validation, "pgp") {
			continue
		}
		if err := loadFileList(local, old); err != nil {
			return nil, nil, err
		}
		if !slices.ContainsFunc(old.Files, isKeyringFile) {
			continue
		}
		files, err := keyringFiles(&archive{step: st, path: where, proof: proof})
		if err != nil {
			return nil, nil, fmt.Errorf("read the keys of %s: %w", st.Package.Entry(), err)
		}
		more, err := keyring.DecodeKeyrings(files)
		if err != nil {
			return nil, nil, fmt.Errorf("read the keys of %s: %w", st.Package.Entry(), err)
		}
		names, keyrings = append(names, st.Package.Name), append(keyrings, more...)
	}
	return names, keyrings, nil
}

func isKeyringFile(name string) bool {
	return path.Dir(name) == keyring.KeyringsDir && !strings.HasSuffix(name, "/")
}

// keyringFiles reads the keyrings out of an archive.
func keyringFiles(a *archive) (files map[string][]byte, err error) {
	f, err := a.openVerified()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := newDecoders().open(a, f)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	files = map[string][]byte{}
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if !isKeyringFile(h.Name) {
			continue
		}
		if files[path.Base(h.Name)], err = pkgfile.ReadMeta(r, h); err != nil {
			return nil, err
		}
	}
}
