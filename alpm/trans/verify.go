// SPDX-License-Identifier: GPL-3.0-or-later

package trans

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rastos/rastos/alpm/keyring"
)

// proof is that a file was verified, and which file that was.
type proof struct {
	info       os.FileInfo
	validation []string // what goes into the local database
	verdict    *keyring.Verdict
	taught     bool // by a keyring that keyring packages of the plan taught
}

// proofs are by path.
type proofs map[string]proof

// holds tells whether the file at path is still the verified one.
func (p proof) holds(path string) bool {
	info, err := os.Stat(path)
	return err == nil && p.is(info)
}

func (p proof) is(info os.FileInfo) bool {
	return os.SameFile(p.info, info) && p.info.Size() == info.Size() && p.info.ModTime().Equal(info.ModTime())
}

// strong tells whether more than the archive's own streams vouches for it.
func (p proof) strong() bool {
	return slices.Contains(p.validation, "sha256") || slices.Contains(p.validation, "pgp")
}

// prove reads the archive of a step once, for its checksum and its signature
// together. With summed, the download just compared the checksum. Errors are
// *VerifyError, or wrap fs.ErrNotExist.
func prove(ctx context.Context, env *Env, st *Step, summed bool) (*proof, error) {
	path := archivePath(env, st)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", st.Package.Entry(), err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", st.Package.Entry(), err)
	}
	fail := func(err error) (*proof, error) {
		return nil, &VerifyError{Object: filepath.Base(path), Package: st.Package.Name, Path: path, Err: err}
	}
	if !info.Mode().IsRegular() {
		return fail(ErrNotFile)
	}
	if want := st.Package.CompressedSize; st.File == "" && want > 0 && info.Size() != want {
		return fail(fmt.Errorf("%w: %d bytes instead of %d", ErrChecksum, info.Size(), want))
	}
	sig, embedded, err := packageSignature(st, path)
	if err != nil {
		return fail(err)
	}
	level := packageLevel(env, st)
	sum, want, kind := checksumOf(st)
	in := io.Reader(&contextReader{ctx, f})
	if want != "" && !summed {
		in = io.TeeReader(in, sum)
	}
	verdict, sigErr := verifySignature(env, in, sig, level)
	if want != "" && !summed {
		if _, err := io.Copy(io.Discard, in); err != nil {
			return nil, fmt.Errorf("verify %s: %w", st.Package.Entry(), err)
		}
		if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, want) {
			return fail(fmt.Errorf("%w: %s is %s instead of %s", ErrChecksum, kind, got, strings.ToLower(want)))
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if sigErr != nil {
		return fail(sigErr)
	}
	signed := level.Check != keyring.Never && len(sig) > 0
	return &proof{info: info, validation: validation(kind, signed, embedded), verdict: verdict}, nil
}

// checksumOf is the strongest checksum that the database has.
func checksumOf(st *Step) (h hash.Hash, want, kind string) {
	switch p := st.Package; {
	case st.File != "":
		return sha256.New(), "", ""
	case p.SHA256 != "":
		return sha256.New(), p.SHA256, "sha256"
	case p.MD5 != "":
		return md5.New(), p.MD5, "md5"
	}
	return sha256.New(), "", ""
}

// validation words it as libalpm does, for which a signature in the database
// makes the checksum needless.
func validation(kind string, signed, embedded bool) []string {
	var out []string
	if kind != "" && !(signed && embedded) {
		out = append(out, kind)
	}
	if signed {
		out = append(out, "pgp")
	}
	if out == nil {
		return []string{"none"}
	}
	return out
}

func packageLevel(env *Env, st *Step) keyring.Level {
	if st.Remote {
		return env.RemoteSigLevel.Package
	}
	if st.File != "" {
		return env.FileSigLevel.Package
	}
	if r := env.repo(st.Repo); r != nil {
		return r.SigLevel.Package
	}
	return keyring.Level{} // a repository that is not known (any more): the strict level
}

func packageSignature(st *Step, path string) (sig []byte, embedded bool, err error) {
	if st.File == "" && st.Package.PGPSig != "" {
		sig, err = base64.StdEncoding.DecodeString(st.Package.PGPSig)
		if err != nil {
			err = &keyring.Error{Reason: keyring.Malformed, Err: err}
		}
		return sig, true, err
	}
	sig, err = readSignature(path + ".sig")
	return sig, false, err
}

// contextReader ends a long read when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
