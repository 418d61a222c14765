// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vpptest"
)

// What the recipe of a container builds runs as it says, with nothing beside it but what it copies and what its user mounts: it
// serves a port, and says that it is well as long as it is.
func TestContainer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN AS A CONTAINER: only root can change the root directory")
	}
	says := map[string]string{}
	for _, line := range lines(t, "packaging/Containerfile") {
		what, rest, _ := strings.Cut(line, " ")
		says[what] = rest
	}
	root := openDir(t)
	in := func(path string) string { return filepath.Join(root, path) }
	for _, dir := range []string{"usr/bin", "etc", "run/vpp", "run/vpp-vhost", "run/vppkit-agent"} {
		require.NoError(t, os.MkdirAll(in(dir), 0o755))
	}
	build := exec.Command("sh", "-c", strings.Replace(says["RUN"], " -o /", " -o "+in("usr/bin")+"/", 1))
	build.Dir = "../.."                                     // what is copied to the image
	build.Env = append(os.Environ(), "GOFLAGS=-ldflags=-w") // nobody debugs it here; else the linker takes as long again
	text, err := build.CombinedOutput()
	require.NoError(t, err, "%s", text)

	uid, gid, _ := strings.Cut(says["USER"], ":")
	who := syscall.Credential{Uid: number(t, uid), Gid: number(t, gid)}
	for _, dir := range []string{"run/vpp-vhost", "run/vppkit-agent"} {
		require.NoError(t, os.Chown(in(dir), int(who.Uid), int(who.Gid)))
	}
	command := func(words []string) *exec.Cmd {
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Dir, cmd.Env = "/", []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &who}
		return cmd
	}
	list := func(what string) (words []string) {
		rest := says[what]
		require.NoError(t, json.Unmarshal([]byte(rest[strings.Index(rest, "["):]), &words))
		return words
	}
	well := func() bool { return command(list("HEALTHCHECK")).Run() == nil }

	r, v := newRig(t), vpptest.New(t, vpptest.WithInterface(nic), vpptest.WithSocket(in("run/vpp/api.sock")))
	require.NoError(t, os.Chown(v.Socket(), 0, int(who.Gid)))
	require.NoError(t, os.Chmod(v.Socket(), 0o660))
	conf := "etcd = " + r.url + "\nhost = h1\nphysnet = physnet1=" + nic + "\nvhost-user-dir = /run/vpp-vhost\nbound = vpp\n"
	require.NoError(t, os.WriteFile(in("etc/vppkit-agent.conf"), []byte(conf), 0o644))
	require.False(t, well(), "nothing runs yet")
	agent := command(append(list("ENTRYPOINT"), list("CMD")...))
	var log bytes.Buffer
	agent.Stderr = &log
	require.NoError(t, agent.Start())
	t.Cleanup(func() {
		if _ = agent.Process.Kill(); agent.Wait() != nil && t.Failed() {
			t.Log(log.String())
		}
	})
	r.put("h1", uuid(0), port(100))
	r.bound("h1", uuid(0))
	require.Eventually(t, well, 10*time.Second, 20*time.Millisecond)
	require.NoError(t, agent.Process.Kill())
	require.Eventually(t, func() bool { return !well() }, 10*time.Second, 20*time.Millisecond)
}

func number(t *testing.T, text string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 32)
	require.NoError(t, err)
	return uint32(n)
}
