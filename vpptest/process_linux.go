// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bytes"
	"errors"
	"os/exec"
	"runtime"
	"syscall"
)

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
