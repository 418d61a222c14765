// SPDX-License-Identifier: Apache-2.0

package kube_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/examples/cni/kube"
	"github.com/vppkit/vppkit/examples/cni/kube/kubetest"
)

var web = kube.Ref{Namespace: "default", Name: "web", UID: "1"}

func open(t *testing.T, s *kubetest.Server) *kube.Client {
	c, err := kube.Open(s.Kubeconfig(t, t.TempDir()))
	require.NoError(t, err)
	return c
}

func TestPod(t *testing.T) {
	s := kubetest.New(t)
	s.Put("default", "web", "1", "/run/vpp/web/", "/sockets", nil)
	s.Put("default", "none", "2", "", "", nil)
	c := open(t, s)
	p, err := c.Pod(t.Context(), web)
	require.NoError(t, err)
	dir, err := p.HostDir("shared-dir")
	require.NoError(t, err)
	require.Equal(t, "/run/vpp/web", dir)
	require.Equal(t, "/sockets", p.MountPath("shared-dir"))
	_, err = p.HostDir("podinfo")
	require.ErrorContains(t, err, "volume podinfo of pod web is no hostPath")

	p, err = c.Pod(t.Context(), kube.Ref{Namespace: "default", Name: "none"})
	require.NoError(t, err)
	dir, err = p.HostDir("shared-dir")
	require.NoError(t, err)
	require.Empty(t, dir+p.MountPath("shared-dir"))

	_, err = c.Pod(t.Context(), kube.Ref{Namespace: "default", Name: "web", UID: "0"})
	require.ErrorIs(t, err, kube.ErrGone, "a namesake has its place")
	_, err = c.Pod(t.Context(), kube.Ref{Namespace: "other", Name: "web"})
	require.ErrorIs(t, err, kube.ErrGone)
	var said *kube.Error
	require.ErrorAs(t, err, &said)
	require.Equal(t, http.StatusNotFound, said.Code)

	s.Put("kube-system", "etcd", "of the mirror", "", "", map[string]any{"kubernetes.io/config.mirror": "of the file"})
	_, err = c.Pod(t.Context(), kube.Ref{Namespace: "kube-system", Name: "etcd", UID: "of the file"})
	require.NoError(t, err, "a static pod's UID is the kubelet's")
}

// What others write at the same moment stays, and what is as wanted is not written.
func TestAnnotate(t *testing.T) {
	s := kubetest.New(t)
	s.Put("default", "web", "1", "", "", map[string]any{"a": "1", "b": "2"})
	c := open(t, s)
	calls := 0
	count := func(p *kube.Pod) (map[string]*string, error) {
		calls++
		a := p.Metadata.Annotations["a"] + "1"
		return map[string]*string{"a": &a, "b": nil}, nil
	}
	s.Interfere(2)
	require.NoError(t, c.Annotate(t.Context(), web, count))
	require.Equal(t, 3, calls)
	require.Equal(t, map[string]any{"a": "11", "strange/0": "theirs", "strange/1": "theirs"}, s.Annotations("default", "web"))
	before := s.Patches()
	require.NoError(t, c.Annotate(t.Context(), web, func(*kube.Pod) (map[string]*string, error) { return nil, nil }))
	require.Equal(t, before, s.Patches())
	s.Interfere(1 << 30)
	var said *kube.Error
	require.ErrorAs(t, c.Annotate(t.Context(), web, count), &said, "it does not go on for ever")
	require.Equal(t, http.StatusConflict, said.Code)
}

// A server that accepts a request and says nothing holds nobody up for long.
func TestSilentServer(t *testing.T) {
	s := kubetest.New(t)
	c := open(t, s)
	ended := make(chan struct{})
	s.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended })
	defer close(ended)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := c.Pod(ctx, web)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, ctx.Err(), "the client's own limit")
}

// What cannot be used is said by what is wrong with it, and no secret is said.
func TestKubeconfig(t *testing.T) {
	s := kubetest.New(t)
	s.Put("default", "web", "1", "", "", nil)
	dir := t.TempDir()
	text, err := os.ReadFile(s.Kubeconfig(t, dir))
	require.NoError(t, err)
	ask := func(change ...string) error {
		path := filepath.Join(dir, "changed")
		require.NoError(t, os.WriteFile(path, []byte(strings.NewReplacer(change...).Replace(string(text))), 0o600))
		c, err := kube.Open(path)
		if err == nil {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err = c.Pod(ctx, web)
		}
		if err != nil {
			require.NotContains(t, err.Error(), s.Token())
		}
		return err
	}
	require.NoError(t, ask())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "token"), []byte(s.Token()+"\n"), 0o600))
	require.NoError(t, ask("token: ", "tokenFile: token # "), "a file beside the kubeconfig")
	require.ErrorContains(t, ask("the-secret", "another"), "Unauthorized")
	require.ErrorContains(t, ask("certificate-authority-data: ", "# "), "certificate")
	require.NoError(t, ask("certificate-authority-data: ", "insecure-skip-tls-verify: true # "))
	require.ErrorContains(t, ask("current-context: it", "current-context: "), "names no cluster")
	require.ErrorContains(t, ask("token: ", "exec: {command: aws} # "), "by a program")
	require.ErrorContains(t, ask("server: https:", "server: ftp:"), "want a URL")
	require.ErrorContains(t, ask("users:", "users: {"), "cannot be read")
	_, err = kube.Open(filepath.Join(dir, "not"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
