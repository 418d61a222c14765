// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/observe"
)

// faultsOfClocks need code in the agent's process, which is there for one sort of processor.
func faultsOfClocks() []fault {
	if runtime.GOARCH != "amd64" {
		return nil
	}
	return []fault{{
		what: "the agent's clock jumps", how: "7 hours on, then 2 days back, while it is connected to etcd and VPP anew; ports come, change and go",
		n: 2, killed: true, once: func(w *world) {
			for _, by := range []time.Duration{7 * time.Hour, -48 * time.Hour} {
				w.bad(uuid(2000), w.junk()) // which is said in two seconds
				w.pause(200 * time.Millisecond)
				w.wire.Cut() // so it waits for another try
				w.jump(by)
				w.proxy.Cut()
				w.wire.Mend()
				w.churn(3)
				w.settle()
				w.lives()
				w.good()
				require.True(w, w.noted(by), "the agent's clock is as it was")
			}
			w.jump(0)
		},
	}}
}

// What a process that asks the kernel for the time does instead of reading it itself, and adds what stands behind:
//
//	mov $228,%eax; syscall; test %edi,%edi; jne 1f; mov offset(%rip),%rdx; add %rdx,8·0(%rsi); 1: ret
//
// Only CLOCK_REALTIME, 0, is changed: the monotonic one never jumps.
var clockCode = []byte{
	0xb8, 228, 0, 0, 0, 0x0f, 0x05, 0x85, 0xff, 0x75, 10,
	0x48, 0x8b, 0x15, 9, 0, 0, 0, 0x48, 0x01, 0x16, 0xc3,
	0x90, 0x90, 0x90, 0x90, 0x90,
}

// jump has the clock of the agent's process be wrong by so much. Go reads it by code that the kernel puts into each process,
// the vDSO, and so by no file and no library that could be another one.
func (w *world) jump(by time.Duration) {
	w.Helper()
	from, to := w.vdso()
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", w.child.Pid), os.O_RDWR, 0)
	require.NoError(w, err)
	defer func() { _ = mem.Close() }()
	image := make([]byte, to-from)
	_, err = mem.ReadAt(image, from)
	require.NoError(w, err)
	code := int64(len(image) - len(clockCode) - 8) // nothing is there, to the end of the page
	offset := binary.LittleEndian.AppendUint64(nil, uint64(by/time.Second))
	if !bytes.Equal(image[code:][:len(clockCode)], clockCode) {
		require.Empty(w, bytes.Trim(image[code:], "\x00"), "the vDSO is in use to its end")
		_, err = mem.WriteAt(slices.Concat(clockCode, offset), from+code)
		require.NoError(w, err)
		entry := w.symbol(image, "__vdso_clock_gettime")
		_, err = mem.WriteAt(binary.LittleEndian.AppendUint32([]byte{0xe9}, uint32(code-entry-5)), from+entry)
		require.NoError(w, err)
	}
	_, err = mem.WriteAt(offset, from+code+int64(len(clockCode)))
	require.NoError(w, err)
}

// vdso is where the kernel's code is in the agent's process.
func (w *world) vdso() (from, to int64) {
	w.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", w.child.Pid))
	require.NoError(w, err)
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			_, err := fmt.Sscanf(line, "%x-%x", &from, &to)
			require.NoError(w, err)
		}
	}
	require.NotZero(w, from)
	return from, to
}

// symbol is where a function begins in a library's image.
func (w *world) symbol(image []byte, name string) int64 {
	w.Helper()
	lib, err := elf.NewFile(bytes.NewReader(image))
	require.NoError(w, err)
	all, err := lib.DynamicSymbols()
	require.NoError(w, err)
	i := slices.IndexFunc(all, func(s elf.Symbol) bool { return s.Name == name })
	require.GreaterOrEqual(w, i, 0)
	return int64(all[i].Value)
}

// noted says whether the agent has written down something with a clock that is wrong by so much.
func (w *world) noted(by time.Duration) bool {
	w.Helper()
	body, err := ask(w.Context(), w.page, "GET", "/history")
	require.NoError(w, err)
	defer func() { _ = body.Close() }()
	var all []observe.Entry
	require.NoError(w, json.NewDecoder(body).Decode(&all))
	return slices.ContainsFunc(all, func(x observe.Entry) bool {
		return (time.Until(x.At) - by).Abs() < time.Hour
	})
}
