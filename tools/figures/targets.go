// SPDX-License-Identifier: GPL-3.0-or-later

package main

// target is what a figure must reach.
type target struct {
	name string
	// least says that larger is better: the figure must be at least value.
	least bool
	value float64
	unit  string
}

func (t target) met(v float64) bool {
	if t.least {
		return v >= t.value
	}
	return v <= t.value
}

func (t target) String() string {
	sign := "≤ "
	if t.least {
		sign = "≥ "
	}
	return sign + number(t.value) + " " + t.unit
}

func atLeast(name string, value float64, unit string) target { return target{name, true, value, unit} }
func atMost(name string, value float64, unit string) target  { return target{name, false, value, unit} }

// targets are the project's figures. A ratio (x) is the peer's time divided
// by ours, medians of one run in which both take turns.
func targets() []target {
	return []target{
		atLeast("install-tmpfs", 2.3, "x"),
		atLeast("install-ext4", 1.4, "x"),
		atLeast("install-btrfs", 1.3, "x"),
		atMost("install-memory", 160, "MB"),
		atLeast("db-info", 8, "x"),
		atLeast("db-search", 8, "x"),
		atLeast("db-plan", 8, "x"),
		atLeast("verify-all", 4, "x"),
		atLeast("reinstall-tmpfs", 2, "x"),
		atLeast("upgrade-tmpfs", 2, "x"),
		atLeast("repo-add", 10, "x"),
		atMost("plan-noop", 50, "ms"),
		atMost("pactest-failed", 0, "count"),
		atLeast("pactest-passed", 329, "count"),
		atLeast("differential-cases", 10000, "count"),
		atMost("differential-differences", 0, "count"),
		atLeast("powercut-cuts", 1000, "count"),
		atMost("powercut-bad", 0, "count"),
		atMost("node-branch", 200, "ms"),
		atMost("node-rollback", 200, "ms"),
		atMost("node-deploy", 200, "ms"),
		atMost("node-diff", 2, "s"),
		atLeast("boot-services", 3, "x"),
		atLeast("boot-services-small", 1, "x"),
		atMost("pid1-memory", 20, "MB"),
		atMost("kernel-overhead", 2, "percent"),
		atLeast("kernel-hardening", 215, "count"),
		atMost("kernel-container-missing", 0, "count"),
		atLeast("container-raw", 0.62, "x"),
		atLeast("container-podman-host", 2.5, "x"),
		atLeast("container-podman-bridge", 4, "x"),
		atLeast("image-pull-cpu", 1.6, "x"),
		atLeast("srcinfo-speed", 500, "x"),
		atMost("aur-search", 50, "ms"),
		atLeast("qcow2-convert", 1, "x"),
		atLeast("qcow2-compress", 1.2, "x"),
		atLeast("image-cold", 4, "x"),
		atMost("image-rebuild", 1, "s"),
	}
}
