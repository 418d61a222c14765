// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// process is an agent that runs. It ends with this process, too.
type process struct {
	cmd       *exec.Cmd
	dead      chan struct{}
	converged chan struct{} // closed when it logs that for the first time: it does not log it each time

	mu   sync.Mutex
	last string // what it logged
}

// launch starts an agent. The kernel kills it when the thread that started it ends,
// so that thread waits for it, and does nothing else.
func launch(program string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(program, args...), dead: make(chan struct{}), converged: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.listen(log)
		_ = p.cmd.Wait()
		close(p.dead)
	}()
	return p, <-started
}

// listen reads the log.
func (p *process) listen(log io.Reader) {
	first := sync.OnceFunc(func() { close(p.converged) })
	for lines := bufio.NewScanner(log); lines.Scan(); {
		p.mu.Lock()
		p.last = lines.Text()
		p.mu.Unlock()
		if strings.Contains(lines.Text(), "msg=converged") {
			first()
		}
	}
}

// wait waits until the agent has converged.
func (p *process) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-p.converged:
		return nil
	case <-p.dead:
		return p.epitaph()
	case <-ctx.Done():
		return fmt.Errorf("the agent does not converge: %w", ctx.Err())
	}
}

func (p *process) epitaph() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("the agent has ended: %v: %s", p.cmd.ProcessState, p.last)
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.dead
}

// buildAgent makes a program of examples/agent in dir.
func buildAgent(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "agent")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/vppkit/vppkit/examples/agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build examples/agent (run this within the module, or name one with --agent): %w: %s", err, out)
	}
	return program, nil
}
