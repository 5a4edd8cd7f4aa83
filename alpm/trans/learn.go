// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/keyring"
	"github.com/rastos/rastos/alpm/pkgfile"
)

// Lesson is what one keyring package of a plan taught the keyring.
type Lesson struct {
	Package string              `json:"package"`
	Version string              `json:"version"`
	Keys    []keyring.KeyChange `json:"keys"`
	// Vouched names packages of the plan that these keys alone are trusted for.
	Vouched []string `json:"vouches_for,omitempty"`
}

// learn judges the packages of the plan by the keyring as its keyring packages
// leave it: what lacks nothing but a trusted key may have one now, and what was
// proven before may be by a key that is revoked or disabled now. Only packages
// whose own signature the keyring trusts as it is may teach it: what their
// scriptlets would do to it one change later they may do now.
//
// It is one change all the same. Nothing is installed before every archive is
// verified, so which package comes first in it makes no difference to trust.
func (d *downloader) learn(ctx context.Context, wrong []error) ([]error, error) {
	if !d.env.LearnKeys || d.env.Keyring == nil {
		return wrong, nil
	}
	taught, lessons, err := d.lessons()
	if err != nil && !slices.ContainsFunc(wrong, func(e error) bool { return d.untrusted(e) != nil }) {
		// Nothing here needs them, and pacman would not have looked either.
		d.tell(Event{Kind: EventWarning, About: AboutKeys, Err: err, Text: err.Error()})
		return wrong, nil
	}
	if err != nil || len(lessons) == 0 {
		return wrong, err
	}
	told := len(d.plan.lessons) > 0
	d.plan.lessons = lessons
	env := *d.env
	env.Keyring = taught
	d.env = &env
	wrong = append(d.reconsider(), wrong...)
	if wrong, err = d.tryAgain(ctx, wrong); err != nil {
		return nil, err
	}
	d.credit()
	for _, l := range lessons {
		if !told {
			d.tell(Event{Kind: EventLearn, Name: l.Package, Text: l.Version, Keys: l.Keys, Args: l.Vouched})
		}
	}
	return wrong, nil
}

// reconsider judges what was proven before once more. What is not proven any
// longer is told, and forgotten.
func (d *downloader) reconsider() (wrong []error) {
	for i := range d.plan.Install {
		st := &d.plan.Install[i]
		where := archivePath(d.env, st)
		proof, ok := d.plan.proven[where]
		if !ok || proof.verdict == nil || len(proof.verdict.Signatures) == 0 {
			continue
		}
		sig, _, err := packageSignature(st, where)
		if err == nil {
			err = d.env.Keyring.Reconsider(sig, proof.verdict, packageLevel(d.env, st))
		}
		if err != nil {
			wrong = append(wrong, &VerifyError{Object: path.Base(where), Package: st.Package.Name, Path: where, Err: err})
			delete(d.plan.proven, where)
		}
	}
	return wrong
}

// tryAgain verifies what lacked a key, and returns what is wrong still.
func (d *downloader) tryAgain(ctx context.Context, wrong []error) (rest []error, err error) {
	var again []*Step
	for _, err := range wrong {
		if st := d.untrusted(err); st != nil {
			again = append(again, st)
		} else {
			rest = append(rest, err)
		}
	}
	errs, err := d.prove(ctx, again, nil)
	for i, e := range errs {
		if e != nil {
			rest = append(rest, e)
			continue
		}
		where := archivePath(d.env, again[i])
		proof := d.plan.proven[where]
		proof.taught = true
		d.plan.proven[where] = proof
	}
	return rest, err
}

// credit notes which lessons made packages trusted.
func (d *downloader) credit() {
	for i := range d.plan.Install {
		st := &d.plan.Install[i]
		if p, ok := d.plan.proven[archivePath(d.env, st)]; ok && p.taught {
			d.creditOne(st.Package.Name, p)
		}
	}
}

func (d *downloader) creditOne(name string, p proof) {
	for i := range d.plan.lessons {
		l := &d.plan.lessons[i]
		by := func(s keyring.Signature) bool {
			return slices.ContainsFunc(l.Keys, func(k keyring.KeyChange) bool { return k.Key == s.Key })
		}
		if slices.ContainsFunc(p.verdict.Signatures, by) {
			l.Vouched = append(l.Vouched, name)
			return
		}
	}
}

// lessons are what the plan's keyring packages teach, one after the other, and
// the keyring after that; none where it is the same.
func (d *downloader) lessons() (*keyring.Ring, []Lesson, error) {
	taught := d.env.Keyring
	teachers, err := d.teachers()
	if err != nil {
		return nil, nil, err
	}
	var lessons []Lesson
	for _, t := range teachers {
		next, err := taught.Taught(t.keyrings)
		if err != nil {
			return nil, nil, fmt.Errorf("keys of %s: %w", t.Package.Name, err)
		}
		if changes := taught.Changes(next); len(changes) > 0 {
			lessons = append(lessons, Lesson{Package: t.Package.Name, Version: t.Package.Version, Keys: changes})
			taught = next
		}
	}
	return taught, lessons, nil
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

// teacher is a package with keyrings.
type teacher struct {
	*Step
	keyrings []keyring.Keyring
}

// teachers are the packages of the plan that are proven by their signature and
// whose installed versions have keyrings.
func (d *downloader) teachers() (out []teacher, err error) {
	if shipped, err := os.ReadDir(filepath.Join(d.env.Root, keyring.KeyringsDir)); err != nil || len(shipped) == 0 {
		return nil, nil // no installed package has any
	}
	local, err := openLocal(d.env)
	if err != nil {
		return nil, err
	}
	for i := range d.plan.Install {
		st := &d.plan.Install[i]
		where := archivePath(d.env, st)
		proof, ok := d.plan.proven[where]
		old := local.Package(st.Package.Name)
		if !ok || proof.taught || old == nil || !slices.Contains(proof.validation, "pgp") {
			continue
		}
		if err := loadFileList(local, old); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(old.Files, isKeyringFile) {
			continue
		}
		files, err := keyringFiles(&archive{step: st, path: where, proof: proof})
		var keyrings []keyring.Keyring
		if err == nil {
			keyrings, err = keyring.DecodeKeyrings(files)
		}
		if err != nil {
			return nil, fmt.Errorf("read the keys of %s: %w", st.Package.Entry(), err)
		}
		out = append(out, teacher{st, keyrings})
	}
	return out, nil
}

// KeyringPackages names the installed packages that bring keyrings.
func KeyringPackages(env Env) ([]string, error) {
	local, err := openLocal(&env)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range local.Packages() {
		if err := loadFileList(local, p); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(p.Files, isKeyringFile) {
			names = append(names, p.Name)
		}
	}
	return names, nil
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
