// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Environment of Real: which VPP to run, and whether its absence is a failure.
const (
	envVPP     = "VPPKIT_VPP"
	envRequire = "VPPKIT_REQUIRE_VPP"
)

// A RealVPP is an installed VPP in a process of its own, with its own runtime
// directory, no hugepages, no NICs and no config. It is killed when the test ends,
// however it ends.
type RealVPP struct {
	bin, dir string
	netns    string

	mu   sync.Mutex
	proc *process
}

// A RealOption changes how a real VPP is started.
type RealOption func(*RealVPP)

// InNetNS runs VPP in a named network namespace (see ip-netns), which must exist.
func InNetNS(name string) RealOption { return func(v *RealVPP) { v.netns = name } }

// Real starts the VPP that the environment variable VPPKIT_VPP names, or else the vpp
// on PATH. Where there is none, the test is skipped with a message in capitals; or it
// fails, if VPPKIT_REQUIRE_VPP=1.
func Real(t testing.TB, opts ...RealOption) *RealVPP {
	t.Helper()
	bin, err := findVPP()
	if err != nil {
		if os.Getenv(envRequire) == "1" {
			t.Fatalf("REAL VPP NOT INSTALLED: %v (%s=1 demands it)", err, envRequire)
		}
		t.Skipf("REAL VPP NOT INSTALLED: %v; put vpp on PATH or set %s to run this test", err, envVPP)
	}
	// Not t.TempDir: a socket's path has no room for the name of the test.
	dir, err := os.MkdirTemp("", "vpp")
	if err != nil {
		t.Fatal(err)
	}
	v := &RealVPP{bin: bin, dir: dir}
	for _, opt := range opts {
		opt(v)
	}
	t.Cleanup(func() {
		v.Kill()
		_ = os.RemoveAll(dir)
	})
	if err := v.Restart(); err != nil {
		t.Fatal(err)
	}
	return v
}

func findVPP() (string, error) {
	name := os.Getenv(envVPP)
	if name == "" {
		name = "vpp"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
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
	return strings.Fields(text)
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

// A process ends with this one.
type process struct {
	pid  int
	dead chan struct{}
	said bytes.Buffer // stdout and stderr; complete when dead
}

// start runs a program in a process group of its own. The kernel kills it when the
// thread that started it ends, so that thread waits for it, and does nothing else.
func start(args []string) (*process, error) {
	p := &process{dead: make(chan struct{})}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &p.said, &p.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(p.dead)
	}()
	return p, <-started
}

func (p *process) kill() {
	if p == nil {
		return
	}
	if err := syscall.Kill(-p.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
	<-p.dead
}
