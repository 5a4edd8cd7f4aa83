// SPDX-License-Identifier: GPL-3.0-or-later

package extract_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rastos/rastos/alpm/extract"
	"github.com/rastos/rastos/alpm/pkgfile"
	"github.com/rastos/rastos/internal/testkit"
)

var (
	_ extract.Source = (*pkgfile.Reader)(nil)
	_ extract.Source = (*tar.Reader)(nil)
)
