// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"fmt"
	"time"
)

// Size writes a number of bytes for people, in binary units: "1.5 MiB".
func Size(n int64) string {
	if n < 0 {
		if n == -1<<63 {
			return "-8.0 EiB"
		}
		return "-" + Size(-n)
	}
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), 0
	const units = "KMGTPE"
	for value >= 1024 {
		value /= 1024
		unit++
	}
	// 1023.96 KiB would print as 1024.0 KiB.
	if value >= 1023.95 && unit < len(units) {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit-1])
}

// Duration writes a span of time for people: "0.4 s", "12.3 s", "3 min 05 s".
func Duration(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	if d < time.Hour {
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

// amount writes progress for people, in the event's unit.
func amount(e Event) string {
	show := func(n int64) string {
		if e.Unit == Bytes {
			return Size(n)
		}
		return fmt.Sprint(n)
	}
	if e.Total > 0 {
		return fmt.Sprintf("%s of %s (%d%%)", show(e.Done), show(e.Total), percent(e.Done, e.Total))
	}
	return show(e.Done)
}

// percent is done of total, in 0..100, without overflow for any sizes.
func percent(done, total int64) int64 {
	return max(0, min(100, int64(float64(done)/float64(total)*100)))
}
