// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vppkit_test

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vpptest"
)

var update = flag.Bool("update", false, "write into docs/tutorial.md what its commands print")

// fence is a block of the tutorial: its language, what else stands beside that, and its text.
var fence = regexp.MustCompile("(?ms)^```(go|console)([^\n]*)\n(.*?)^```$")

// shell is a bash that runs one command after the other.
type shell struct {
	in   io.Writer
	out  *bufio.Reader
	errs string
}

func newShell(t *testing.T, dir string) *shell {
	t.Helper()
	cmd := exec.Command("bash", "--norc")
	errs, err := os.Create(filepath.Join(dir, ".stderr"))
	require.NoError(t, err)
	cmd.Dir, cmd.Stderr = dir, errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}                        // what it started ends with it
	cmd.Env = append(os.Environ(), "GOWORK=", "GOFLAGS=-ldflags=-w", "PWD="+dir) // nobody debugs what it builds, and links often
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	kill := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	hangs := time.AfterFunc(15*time.Minute, kill) // it builds, on a machine that may be busy
	t.Cleanup(func() {
		hangs.Stop()
		kill()
		_ = cmd.Wait()
	})
	return &shell{in, bufio.NewReader(out), errs.Name()}
}

// run returns what a command printed; one that fails has to be expected to.
func (s *shell) run(t *testing.T, command string) string {
	t.Helper()
	const end = "--- end of command"
	_, err := fmt.Fprintf(s.in, "%s\necho '%s' $?\n", command, end)
	require.NoError(t, err)
	var all strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		require.NoError(t, err, "$ %s\n%s", command, &all)
		if before, status, ok := strings.Cut(line, end+" "); ok {
			all.WriteString(before)
			if status != "0\n" {
				errs, _ := os.ReadFile(s.errs)
				t.Fatalf("$ %s\n%s%s", command, all.String(), errs)
			}
			return all.String()
		}
		all.WriteString(line)
	}
}

// The tutorial does what it says, as it is written: its commands print what stands below
// them, its files are made of its text. What is for a real VPP runs where there is one.
func TestTutorial(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	text, err := os.ReadFile("docs/tutorial.md")
	require.NoError(t, err)
	here, err := os.Getwd()
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "tutorial") // a short path, for sockets
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	sh := newShell(t, dir)

	real := ""
	if _, err := exec.LookPath(cmp.Or(os.Getenv("VPPKIT_VPP"), "vpp")); err == nil {
		real = vpptest.Real(t).Socket()
	} else {
		t.Log("NO VPP IS INSTALLED: what the tutorial does with one is not run")
	}
	done := fence.ReplaceAllStringFunc(string(text), func(block string) string {
		m := fence.FindStringSubmatch(block)
		language, args, body := m[1], strings.Fields(m[2]), m[3]
		if language == "go" {
			write(t, filepath.Join(dir, "cloud", args[0]), body, len(args) > 1)
			return block
		}
		if len(args) > 0 && real == "" {
			return block
		}
		var out strings.Builder
		for line := range strings.Lines(body) {
			command, ok := strings.CutPrefix(line, "$ ")
			if !ok {
				continue
			}
			out.WriteString(line)
			command = strings.TrimSpace(command)
			if strings.HasPrefix(command, "git clone") { // this is what would be cloned
				require.NoError(t, os.Symlink(here, filepath.Join(dir, "vppkit")))
				continue
			}
			if real != "" {
				command = strings.ReplaceAll(command, "/run/vpp/api.sock", real)
			}
			out.WriteString(sh.run(t, command))
		}
		return "```console" + m[2] + "\n" + out.String() + "```"
	})
	if *update {
		require.NoError(t, os.WriteFile("docs/tutorial.md", []byte(done), 0o644))
	}
	require.Equal(t, string(text), done)
}

// write makes a file, or changes a part of it: what is above the line of dashes becomes what
// is below.
func write(t *testing.T, path, body string, part bool) {
	t.Helper()
	if part {
		old, with, ok := strings.Cut(body, "---\n")
		require.True(t, ok, body)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		old, with = strings.TrimSuffix(old, "\n"), strings.TrimSuffix(with, "\n")
		require.Equal(t, 1, strings.Count(string(text), old), "%s has once\n%s", path, old)
		body = strings.Replace(string(text), old, with, 1)
	}
	require.NoError(t, os.WriteFile(path, []byte(body), 0o644))
}
