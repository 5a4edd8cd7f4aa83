// SPDX-License-Identifier: GPL-3.0-or-later

package vm

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// ticksPerSecond is USER_HZ, which Linux fixes at 100 on x86-64.
const ticksPerSecond = 100

// CPUTime is the CPU time that QEMU has used, the honest measure of a machine
// on a busy host. After the machine's end it is the last known value.
func (m *Machine) CPUTime() time.Duration {
	m.sampleCPU()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cpu
}

func (m *Machine) sampleCPU() {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.proc.Pid()))
	if err != nil {
		return // ended
	}
	cpu, ok := parseStat(data)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cpu = max(m.cpu, cpu)
}

// parseStat returns user plus system time of /proc/<pid>/stat (proc(5)).
func parseStat(stat []byte) (time.Duration, bool) {
	// The name may hold anything; the last parenthesis ends it.
	i := bytes.LastIndexByte(stat, ')')
	fields := bytes.Fields(stat[i+1:])
	if i < 0 || len(fields) < 13 {
		return 0, false
	}
	user, err1 := strconv.ParseInt(string(fields[11]), 10, 64)
	system, err2 := strconv.ParseInt(string(fields[12]), 10, 64)
	return time.Duration(user+system) * time.Second / ticksPerSecond, err1 == nil && err2 == nil
}
