// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/vpptest"
)

// nobody is a user and group of no rights, and strangers another one.
const nobody, strangers = 65534, 65533

// asUser runs a command of this test binary as somebody else.
func asUser(t *testing.T, uid, gid int, args ...string) (string, error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED AS ANOTHER USER: only root can be one")
	}
	cmd := exec.Command(itself(t), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	cmd.Dir, cmd.Env = "/", []string{agentArgs + "=" + strings.Join(args, "\n"), "HOME=/nonexistent"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// itself is this test binary, where everybody can run it.
func itself(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	copied := filepath.Join(openDir(t), "agent")
	require.NoError(t, os.WriteFile(copied, text, 0o755))
	return copied
}

// openDir is a directory that everybody can look into.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "guard")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// The socket of an agent lets in whom it is told to, and by default its owner alone.
func TestWhoMayAsk(t *testing.T) {
	r, v := newRig(t), memory(t)
	dir := openDir(t)
	path := filepath.Join(dir, "agent.sock")
	l, err := listen(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	r.agent(r.siteOf("h1", nic), v.Socket(), func(a *agent) { a.listener = l })
	r.bound("h1")
	out, err := asUser(t, nobody, nobody, "level", "--socket", path)
	require.Error(t, err)
	require.Contains(t, out, "permission denied")
	who := sockets{mode: 0o660, group: strconv.Itoa(nobody)}
	require.NoError(t, who.set(path))
	out, err = asUser(t, nobody, nobody, "level", "--socket", path)
	require.NoError(t, err, out)
	require.Equal(t, "INFO\n", out)
	_, err = asUser(t, strangers, strangers, "level", "--socket", path)
	require.Error(t, err)
}

// The sockets that VPP makes get their mode and group before a port is said to be there, and again when
// somebody changes them; what is no socket stays as it is.
func TestVPPsSockets(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: only root gives a socket to a group that it is not in")
	}
	r, v := newRig(t), memory(t)
	site := r.siteOf("h1", nic)
	site.Server, site.SocketMode, site.SocketGroup = true, 0o660, strconv.Itoa(nobody)
	p, err := site.Port(uuid(0), []byte(port(100)))
	require.NoError(t, err)
	path := p.Socket()
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	r.put("h1", uuid(0), port(100))
	a := r.agent(site, v.Socket(), func(a *agent) { a.audit = 200 * time.Millisecond })
	r.problem(0, "no socket")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o644, info.Mode())
	require.NoError(t, os.Remove(path))
	l, err := net.Listen("unix", path) // as the VPP in memory makes none
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	r.bound("h1", uuid(0))
	want := sockets{0o660, site.SocketGroup}
	require.Empty(t, want.wrong(path, nobody))
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.Lchown(path, -1, 0))
	require.Eventually(t, func() bool { return want.wrong(path, nobody) == "" }, 10*time.Second, 10*time.Millisecond)
	require.NotContains(t, a.log.String(), "action=replace")
}

// On a real VPP, whoever is in the group connects to the socket of a bound port, and a stranger does not.
func TestRealVPPsSockets(t *testing.T) {
	v, r := vpptest.Real(t), newRig(t)
	r.loopback(v.Socket())
	site := translate.Site{
		Host: "h1", Physnets: map[string]string{"physnet1": "loop0"}, Dir: openDir(t), Server: true,
		SocketMode: 0o660, SocketGroup: strconv.Itoa(nobody),
	}
	r.put("h1", uuid(0), port(100))
	r.agent(site, v.Socket())
	r.bound("h1", uuid(0))
	p, err := site.Port(uuid(0), []byte(port(100)))
	require.NoError(t, err)
	_, err = asUser(t, strangers, strangers, "status", "--socket", p.Socket())
	require.Error(t, err)
	out, _ := asUser(t, strangers, strangers, "status", "--socket", p.Socket())
	require.Contains(t, out, "permission denied")
	out, _ = asUser(t, nobody, nobody, "status", "--socket", p.Socket()) // it speaks vhost-user, but it is let in
	require.NotContains(t, out, "permission denied")
	require.NotContains(t, out, "refused")
}

// Who may connect is said by a mode and a group that are, and nobody opens a socket to everybody.
func TestSocketFlags(t *testing.T) {
	for _, text := range []string{"0666", "0662", "660x", "0060", "", "01777", "9"} {
		var s sockets
		require.Error(t, mode{&s.mode}.Set(text), text)
	}
	var s sockets
	require.NoError(t, mode{&s.mode}.Set("660"))
	require.EqualValues(t, 0o660, s.mode)
	_, err := groupID("no such group")
	require.Error(t, err)
	base := []string{"plan", "--etcd", "http://127.0.0.1:1", "--physnet", "p=x", "--vpp", "sim", "--vhost-user-dir"}
	_, errs, code := said(t, append(base, t.TempDir(), "--vhost-user-socket-mode", "0660")...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "want --vhost-user-mode server")
	_, errs, code = said(t, append(base, t.TempDir(), "--vhost-user-mode", "server", "--vhost-user-socket-group", "no such group")...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "--vhost-user-socket-group")
	open := t.TempDir()
	require.NoError(t, os.Chmod(open, 0o777))
	_, errs, code = said(t, append(base, open)...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "everybody can put sockets there")
}
