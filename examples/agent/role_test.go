// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/etcd"
)

// roleArgs makes this test binary somebody else in etcd: a process of its own, so that what it costs is not ours.
const roleArgs = "AGENT_TEST_ROLE"

// playRole is what such a process does until it is told to end: "echo URL", or "hostile URL HOST SEED", which then says how many
// keys and bytes it wrote.
func playRole(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	client, err := etcd.Dial(args[1], etcd.Access{})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if args[0] == "echo" {
		echo(ctx, client)
		return nil
	}
	seed, err := strconv.ParseUint(args[3], 10, 64)
	if err != nil {
		return err
	}
	keys, bytes := hostile(ctx, client, args[2], seed)
	_, err = fmt.Println(keys, bytes)
	return err
}

// role starts a process that plays one, until end, which returns what it said, or the end of the test.
func (r *rig) role(args ...string) (end func() string) {
	r.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleArgs+"="+strings.Join(args, " "))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, os.Stderr
	require.NoError(r, cmd.Start())
	ended := false
	end = func() string {
		if !ended {
			ended = true
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
		return said.String()
	}
	r.Cleanup(func() { end() })
	return end
}
