// SPDX-License-Identifier: GPL-3.0-or-later

package manifest

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written "8G": a whole number and K, M, G or T,
// which mean 1024, 1024² and so on.
type Size int64

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "KMGT")
	unit := string(text[len(digits):])
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || len(unit) > 1 || strings.HasPrefix(digits, "+") {
		return errors.New("is not a size")
	}
	shift := 0
	if unit != "" {
		shift = 10 * (1 + strings.Index("KMGT", unit))
	}
	if n > math.MaxInt64>>shift {
		return errors.New("is too large")
	}
	*s = Size(n << shift)
	return nil
}

// String writes the size with the largest unit that divides it.
func (s Size) String() string {
	units := "KMGT"
	for i := len(units); i > 0; i-- {
		if unit := Size(1) << (10 * i); s != 0 && s%unit == 0 {
			return fmt.Sprintf("%d%c", s/unit, units[i-1])
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText is the reverse of UnmarshalText.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Bytes is the size as a plain number.
func (s Size) Bytes() int64 { return int64(s) }

// Duration is a span of time, written "90s", "5m" or "1h30m".
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		// A day is what people write for the age of a release.
		days, dayErr := strconv.ParseUint(strings.TrimSuffix(string(text), "d"), 10, 16)
		if dayErr != nil || !strings.HasSuffix(string(text), "d") {
			return errors.New("is not a span of time")
		}
		v = time.Duration(days) * 24 * time.Hour
	}
	if v < 0 {
		return errors.New("is a negative span of time")
	}
	*d = Duration(v)
	return nil
}

// String writes the duration as Go does.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText is the reverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
