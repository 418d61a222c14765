// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/examples/agent/controller"
	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// guarded is an etcd that lets in who has a certificate, and to what his role allows; the rig's own client is root.
func guarded(t *testing.T) (*rig, *etcdtest.CA) {
	t.Helper()
	ca := etcdtest.NewCA(t, "authority")
	e := etcdtest.Secure(t, ca.Issue(t, "server"))
	root := ca.Issue(t, "root")
	client := etcdtest.Dial(t, e.URL(), root)
	etcdtest.Guard(t, client, "root's password")
	return &rig{T: t, url: e.URL(), access: root, client: client, etcd: e}, ca
}

// roles runs "agent roles" as the rig's root.
func (r *rig) roles(exit int, args ...string) string {
	r.Helper()
	out, errs, code := said(r.T, append([]string{"roles", "--etcd", r.url, "--etcd-cacert", r.access.CA, "--etcd-cert", r.access.Cert, "--etcd-key", r.access.Key}, args...)...)
	require.Equal(r, exit, code, out+errs)
	return out + errs
}

// An agent with its role does all that an agent does, and can do nothing as to another host, nor can another
// host's as to it; nobody without a certificate of a known name can do anything.
func TestRoles(t *testing.T) {
	r, ca := guarded(t)
	r.roles(0, "--apply", "h1")
	r.roles(0, "--apply", "--overlay", "h2")
	v := memory(t)
	site := r.siteOf("h1", nic)
	r.group(1, ssh("192.0.2.0", gid(3)))
	r.member(3, 7, `["10.0.0.7"]`)
	r.put("h1", uuid(0), secured(100, "10.0.0.5", gid(1)))
	r.set(site.Keys()+"taas_service/"+uuid(9), `{}`)
	for name, value := range tenants() {
		r.routing("h1", name, value)
	}
	h1 := ca.Issue(t, "h1")
	root, url := r.access, r.url
	r.access, r.url = h1, url+","+url // each member is asked how it is
	path, page := paged(t)
	a := r.agent(site, v.Socket(), page)
	r.bound("h1", uuid(0))
	r.converged(a)
	require.Eventually(t, func() bool { said, _ := r.said("h1", converged); return said[""] != "" }, 20*time.Second, 20*time.Millisecond)
	require.Eventually(t, func() bool { said, _ := r.said("h1", "routers/"); return len(said) == len(tenants()) }, 20*time.Second, 20*time.Millisecond)
	require.Eventually(t, func() bool { said, _ := r.said("h1", "errors/"); return len(said) == 1 }, 20*time.Second, 20*time.Millisecond, "that of the service")
	time.Sleep(2 * time.Second)
	r.amissIs(path, "etcd", "etcd", false)
	r.url = url
	require.NotContains(t, a.log.String(), "permission denied")

	r.access = root
	mine, theirs := etcdtest.Dial(t, r.url, h1), etcdtest.Dial(t, r.url, ca.Issue(t, "h2"))
	refused := func(c *clientv3.Client, write bool, keys ...string) {
		t.Helper()
		for _, key := range keys {
			if !write {
				_, err := c.Get(t.Context(), key)
				require.ErrorIs(t, err, rpctypes.ErrPermissionDenied, key)
				_, err = c.Get(t.Context(), key, clientv3.WithPrefix())
				require.ErrorIs(t, err, rpctypes.ErrPermissionDenied, key)
				heard := <-c.Watch(t.Context(), key)
				require.Error(t, heard.Err(), key)
			}
			_, err := c.Put(t.Context(), key, "x")
			require.ErrorIs(t, err, rpctypes.ErrPermissionDenied, key)
			_, err = c.Delete(t.Context(), key, clientv3.WithPrefix())
			require.ErrorIs(t, err, rpctypes.ErrPermissionDenied, key)
		}
	}
	refused(theirs, false, site.Ports()+uuid(0), site.State()+"alive", site.State()+"agent", site.Keys(), translate.Root, "/", "k")
	refused(theirs, true, translate.Groups+gid(1), translate.Members+gid(3)+"/"+uuid(7), translate.TapState("h1", "taas_service/"+uuid(1)))
	refused(mine, true, site.Ports()+uuid(0), translate.Groups+gid(1), translate.Members+gid(3)+"/"+uuid(7), translate.TapTargets+uuid(1))
	refused(mine, true, translate.Networks+"1/h2/192.0.2.1", translate.TapState("h2", "x"))
	refused(mine, false, translate.Root+"state/h2/alive", translate.Root+"state/h10/alive", translate.Root+"nodes/h10/ports/"+uuid(0), controller.Journals+"x")
	_, err := mine.AuthDisable(t.Context())
	require.Error(t, err)
	_, err = mine.UserGrantRole(t.Context(), "h1", "root")
	require.Error(t, err)
	lease, err := theirs.Grant(t.Context(), 60)
	require.NoError(t, err)
	_, err = theirs.Put(t.Context(), site.State()+"alive", "1", clientv3.WithLease(lease.ID))
	require.ErrorIs(t, err, rpctypes.ErrPermissionDenied)
	held, err := r.client.Get(t.Context(), site.State()+"agent")
	require.NoError(t, err)
	_, err = theirs.Revoke(t.Context(), clientv3.LeaseID(held.Kvs[0].Lease))
	require.Error(t, err, "who has another's lease does not end what hangs on it")

	_, err = etcdtest.Dial(t, r.url, ca.Issue(t, "nobody")).Get(t.Context(), site.State()+"alive")
	require.Error(t, err)
	_, err = theirs.Put(t.Context(), translate.Root+"state/h2/alive", "1")
	require.NoError(t, err)
	_, err = theirs.Put(t.Context(), translate.Networks+"1/h2/192.0.2.1", "x")
	require.NoError(t, err)

	// An agent with another host's certificate serves nothing, and says why.
	r.access = ca.Issue(t, "h2")
	other := r.agent(r.siteOf("h3", nic), memory(t).Socket())
	require.Eventually(t, func() bool { return strings.Contains(other.log.String(), "permission denied") }, 20*time.Second, 20*time.Millisecond)
	r.access = root
}

// What a role allowed beside goes; twice is once; without auth they mean nothing, and that is said.
func TestRolesAreApplied(t *testing.T) {
	r, ca := guarded(t)
	_, err := r.client.RoleAdd(t.Context(), "vppkit-agent-h1")
	require.NoError(t, err)
	for key, end := range map[string]string{"/": "0", translate.Root + "nodes/h1/": "", translate.Groups: clientv3.GetPrefixRangeEnd(translate.Groups)} {
		_, err = r.client.RoleGrantPermission(t.Context(), "vppkit-agent-h1", key, end, mayWrite)
		require.NoError(t, err)
	}
	require.Contains(t, r.roles(0, "--apply", "h1"), "may readwrite / no more")
	require.Equal(t, "user h1 has role vppkit-agent-h1\n", r.roles(0, "--apply", "h1"))
	h1 := etcdtest.Dial(t, r.url, ca.Issue(t, "h1"))
	_, err = h1.Put(t.Context(), translate.Groups+gid(1), "x")
	require.ErrorIs(t, err, rpctypes.ErrPermissionDenied)
	_, err = h1.Get(t.Context(), translate.Root+"nodes/h1/", clientv3.WithPrefix())
	require.NoError(t, err)

	r.roles(0, "--apply", "--for", "controller", "neutron")
	neutron := etcdtest.Dial(t, r.url, ca.Issue(t, "neutron"))
	_, err = neutron.Put(t.Context(), translate.Root+"nodes/h1/ports/"+uuid(1), port(1))
	require.NoError(t, err)
	_, err = neutron.Put(t.Context(), translate.Root+"state/h1/ports/"+uuid(1), "x")
	require.ErrorIs(t, err, rpctypes.ErrPermissionDenied)
	r.roles(0, "--apply", "--for", "reader", "eyes")
	_, err = etcdtest.Dial(t, r.url, ca.Issue(t, "eyes")).Put(t.Context(), translate.Root+"nodes/h1/ports/"+uuid(1), "x")
	require.ErrorIs(t, err, rpctypes.ErrPermissionDenied)

	_, err = r.client.AuthDisable(t.Context())
	require.NoError(t, err)
	require.Contains(t, r.roles(exitWrong, "--apply", "h1"), "etcdctl auth enable")
	for _, args := range [][]string{{}, {"a/b"}, {"a b"}, {"--for", "king", "h1"}} {
		r.roles(exitUsage, args...)
	}
}

// What is printed is what is applied.
func TestRolesArePrinted(t *testing.T) {
	out, _, code := said(t, "roles", "h1", "--overlay")
	require.Zero(t, code)
	require.Contains(t, out, "etcdctl role grant-permission vppkit-agent-h1 --prefix=true readwrite /networking-vpp/state/h1/\n")
	etcdctl, err := exec.LookPath("etcdctl")
	if err != nil {
		t.Skip("NOT TESTED WITH ETCDCTL: it is not on PATH")
	}
	r := newRig(t)
	for line := range strings.Lines(out) {
		cmd := exec.Command(etcdctl, strings.Fields(line)[1:]...)
		cmd.Env = append(cmd.Environ(), "ETCDCTL_API=3", "ETCDCTL_ENDPOINTS="+r.url)
		text, err := cmd.CombinedOutput()
		require.NoError(t, err, string(text))
	}
	r.access = etcd.Access{}
	out, errs, code := said(t, "roles", "--apply", "--etcd", r.url, "h1", "--overlay")
	require.Equal(t, exitWrong, code, errs)
	require.Equal(t, "user h1 has role vppkit-agent-h1\n", out, "nothing had to be done")
}
