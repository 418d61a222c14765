// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/vpptest"
)

// An ordinary user in VPP's group serves a host with no more said than must be, and finds his agent again.
func TestOrdinaryUser(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { ordinary(newRig(t), memory(t).Socket(), nic) })
	t.Run("real", func(t *testing.T) {
		v, r := vpptest.Real(t), newRig(t)
		r.loopback(v.Socket())
		ordinary(r, v.Socket(), "loop0")
	})
}

func ordinary(r *rig, vpp, uplink string) {
	if os.Geteuid() != 0 {
		r.Skip("NOT TESTED AS ANOTHER USER: only root can be one")
	}
	for dir := filepath.Dir(vpp); len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		require.NoError(r, os.Chmod(dir, 0o755))
	}
	require.NoError(r, os.Lchown(vpp, -1, strangers)) // VPP's group
	require.NoError(r, os.Chmod(vpp, 0o660))
	home := openDir(r.T)
	require.NoError(r, os.Chown(home, nobody, nobody))
	bin := itself(r.T)
	command := func(groups []uint32, args ...string) *exec.Cmd {
		cmd := exec.Command(bin)
		cmd.Dir, cmd.Env = "/", []string{agentArgs + "=" + strings.Join(args, "\n"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, Groups: groups}}
		return cmd
	}
	run := []string{"run", "--etcd", r.url, "--vpp", vpp, "--host", "h1", "--physnet", "physnet1=" + uplink, "--vhost-user-dir", openDir(r.T), "--bound", "vpp"}
	r.put("h1", uuid(0), port(100))
	outside := command(nil, run...)
	text, err := outside.CombinedOutput()
	require.Error(r, err)
	require.Contains(r, string(text), "permission denied: user 65534 has to be in group 65533")
	text, err = command(nil, append([]string{"plan"}, run[1:len(run)-2]...)...).CombinedOutput()
	require.Error(r, err)
	require.Contains(r, string(text), "has to be in group 65533")

	root := &agent{vpp: vpp}
	require.NoError(r, root.lockVPP())
	second := command([]uint32{strangers}, run...)
	var log lockedBuffer
	second.Stderr = &log
	require.NoError(r, second.Start())
	require.Eventually(r, func() bool { return strings.Contains(log.String(), "another agent serves the VPP at "+vpp) }, 20*time.Second, 20*time.Millisecond, "root's is there")
	require.NoError(r, second.Process.Kill()) // an interrupt may be ignored, as it is in the background of a shell
	_ = second.Wait()
	root.unlockVPP()

	agent := command([]uint32{strangers}, run...)
	require.NoError(r, agent.Start())
	r.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
	r.bound("h1", uuid(0))
	out, err := command(nil, "status").CombinedOutput()
	require.NoError(r, err, string(out))
	require.Contains(r, string(out), "converged since")
	out, err = command(nil, "put", "--etcd", r.url, "nodes/h1/ports/"+uuid(1), port(100)).CombinedOutput()
	require.NoError(r, err, string(out))
	r.bound("h1", uuid(0), uuid(1))
}
