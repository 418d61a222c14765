// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Environment of Real: which VPP to run, and whether its absence is a failure.
const (
	envVPP     = "VPPKIT_VPP"
	envRequire = "VPPKIT_REQUIRE_VPP"
)

// A RealVPP is an installed VPP in a process of its own, with its own runtime
// directory, no hugepages, no NICs and no config. It is killed when this process ends,
// however it ends.
type RealVPP struct {
	bin, dir string
	netns    string
	more     string // startup.conf

	mu   sync.Mutex
	proc *process
}

// A RealOption changes how a real VPP is started.
type RealOption func(*RealVPP)

// InNetNS runs VPP in a named network namespace (see ip-netns), which must exist.
func InNetNS(name string) RealOption { return func(v *RealVPP) { v.netns = name } }

// WithStartup adds sections to VPP's startup.conf, in its language. What they say of
// something that is said already counts instead.
func WithStartup(sections string) RealOption { return func(v *RealVPP) { v.more += " " + sections } }

// Real is StartReal for a test: VPP ends with it. Where there is none, the test is
// skipped with a message in capitals; or it fails, if VPPKIT_REQUIRE_VPP=1.
func Real(t testing.TB, opts ...RealOption) *RealVPP {
	t.Helper()
	v, err := StartReal(opts...)
	switch {
	case errors.Is(err, ErrNotInstalled) && os.Getenv(envRequire) == "1":
		t.Fatalf("REAL VPP NOT INSTALLED: %v (%s=1 demands it)", err, envRequire)
	case errors.Is(err, ErrNotInstalled):
		t.Skipf("REAL VPP NOT INSTALLED: %v; put vpp on PATH or set %s to run this test", err, envVPP)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if said := v.Died(); said != "" {
			t.Logf("VPP died: %s", said)
		}
		_ = v.Close()
	})
	return v
}

// ErrNotInstalled: there is no real VPP to start.
var ErrNotInstalled = errors.New("vpptest: no VPP is installed")

// StartReal starts the VPP that the environment variable VPPKIT_VPP names, or else the
// vpp on PATH; the caller must Close it. ErrNotInstalled: there is none, or this is not
// Linux, which VPP needs.
func StartReal(opts ...RealOption) (*RealVPP, error) {
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("%w: it needs Linux, and this is %s", ErrNotInstalled, runtime.GOOS)
	}
	bin, err := findVPP()
	if err != nil {
		return nil, err
	}
	// Not t.TempDir: a socket's path has no room for the name of the test.
	dir, err := os.MkdirTemp("", "vpp")
	if err != nil {
		return nil, fmt.Errorf("vpptest: %w", err)
	}
	v := &RealVPP{bin: bin, dir: dir}
	for _, opt := range opts {
		opt(v)
	}
	if err := v.Restart(); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

func findVPP() (string, error) {
	name := os.Getenv(envVPP)
	if name == "" {
		name = "vpp"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotInstalled, err)
	}
	return filepath.EvalSymlinks(path)
}

// Socket is the path of the API socket; it stays the same over restarts.
func (v *RealVPP) Socket() string { return filepath.Join(v.dir, "api.sock") }

// Dir is VPP's runtime directory, a place for sockets that is removed with VPP.
func (v *RealVPP) Dir() string { return v.dir }

// Version is what VPP says of itself, such as 25.10-release.
func (v *RealVPP) Version() (string, error) { return versionOf(v.Socket()) }

// Kill kills VPP with SIGKILL and waits for its end.
func (v *RealVPP) Kill() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.proc.kill()
	v.proc = nil
}

// Died is what VPP said when it died by itself, its backtrace at the end, until the next
// Restart. "" means that it did not; one that was killed did not either.
func (v *RealVPP) Died() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.proc == nil {
		return ""
	}
	select {
	case <-v.proc.dead:
		return cmp.Or(v.proc.said.String(), "nothing")
	default:
		return ""
	}
}

// Close kills VPP and removes its directory. Twice is once.
func (v *RealVPP) Close() error {
	v.Kill()
	return os.RemoveAll(v.dir)
}

// Restart kills VPP if it runs, starts it, and returns when its API answers.
func (v *RealVPP) Restart() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.proc.kill()
	v.proc = nil
	args := append([]string{v.bin}, v.config()...)
	if v.netns != "" {
		args = append([]string{"ip", "netns", "exec", v.netns}, args...)
	}
	_ = os.Remove(v.Socket())
	proc, err := start(args)
	if err != nil {
		return fmt.Errorf("vpptest: %w", err)
	}
	v.proc = proc
	for deadline := time.Now().Add(30 * time.Second); ; {
		if _, err = versionOf(v.Socket()); err == nil {
			return nil
		}
		select {
		case <-proc.dead:
			return fmt.Errorf("vpptest: %s ended at once: %s", v.bin, proc.said.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("vpptest: %s does not answer: %w", v.bin, err)
		}
	}
}

func (v *RealVPP) config() []string {
	text := strings.NewReplacer("DIR", v.dir, "PREFIX", filepath.Base(v.dir)).Replace(`
		unix { nodaemon nosyslog cli-listen DIR/cli.sock runtime-dir DIR poll-sleep-usec 100 }
		api-segment { prefix PREFIX }
		socksvr { socket-name DIR/api.sock }
		statseg { socket-name DIR/stats.sock }
		memory { main-heap-size 512M main-heap-page-size 4k }
		buffers { page-size 4k buffers-per-numa 16384 }
		plugins { plugin dpdk_plugin.so { disable } }`)
	if dirs, _ := filepath.Glob(filepath.Join(filepath.Dir(v.bin), "../lib/*/vpp_plugins")); len(dirs) == 1 {
		text += " plugins { path " + dirs[0] + " }"
	}
	return strings.Fields(text + v.more)
}

// CLI runs a command of VPP's CLI, for a look at what no message shows. It needs
// vppctl beside vpp or on PATH. Its output differs between releases.
func (v *RealVPP) CLI(command string) (string, error) {
	ctl := filepath.Join(filepath.Dir(v.bin), "vppctl")
	if _, err := os.Stat(ctl); err != nil {
		ctl = "vppctl"
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, ctl, append([]string{"-s", filepath.Join(v.dir, "cli.sock")}, strings.Fields(command)...)...).CombinedOutput()
	return string(out), err
}
