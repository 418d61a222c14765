// SPDX-License-Identifier: Apache-2.0

package etcd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/etcdtest"
)

// A user is let in by the password in a file, also one that changes, and with tokens that end; a wrong one is
// told so, and by nothing is it repeated.
func TestUserAndPassword(t *testing.T) {
	e := etcdtest.Embed(t, t.TempDir(), func(c *embed.Config) { c.AuthTokenTTL = 1 })
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("s3cret\n"), 0o600))
	a := etcd.Access{User: "root"}
	require.NoError(t, a.Password.Set(file))
	c := etcdtest.Dial(t, e.URL(), a)
	require.NoError(t, asked(c), "as long as nobody is asked who he is")
	etcdtest.Guard(t, etcdtest.Dial(t, e.URL(), etcd.Access{}), "s3cret")
	require.NoError(t, asked(c))
	require.ErrorContains(t, asked(etcdtest.Dial(t, e.URL(), etcd.Access{})), "user name is empty")

	watch := func(key string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for ctx.Err() == nil {
			short, cancel := context.WithTimeout(ctx, 2*time.Second)
			heard := c.Watch(short, key, clientv3.WithCreatedNotify())
			r := <-heard
			cancel()
			if r.Created && r.Err() == nil {
				return
			}
		}
		require.Fail(t, "no watch", key)
	}
	kept := c.Watch(t.Context(), "kept")
	watch("a")
	time.Sleep(3 * time.Second) // the tokens are stale
	require.NoError(t, asked(c))
	watch("b")
	_, err := c.Put(t.Context(), "kept", "1")
	require.NoError(t, err)
	heard := <-kept
	require.NoError(t, heard.Err())
	_, err = c.Grant(t.Context(), 10)
	require.NoError(t, err)

	_, err = c.UserChangePassword(t.Context(), "root", "other")
	require.NoError(t, err)
	err = asked(c)
	require.ErrorContains(t, err, `etcd knows no user "root" with the password in `+file)
	require.NotContains(t, err.Error(), "s3cret")
	require.NoError(t, os.WriteFile(file, []byte("other\n"), 0o600))
	require.NoError(t, asked(c))
	_, err = c.UserChangePassword(t.Context(), "root", "third")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(file, 0o644)) // after that: a token that is stale by then has it read
	require.ErrorContains(t, asked(c), "chmod 600")
}

// A watch begins on the stream of one that has long been there, as its token is one that requests keep from ending.
func TestWatchesBeginLater(t *testing.T) {
	e := etcdtest.Embed(t, t.TempDir(), func(c *embed.Config) { c.AuthTokenTTL = 1 })
	etcdtest.Guard(t, etcdtest.Dial(t, e.URL(), etcd.Access{}), "s3cret")
	c := etcdtest.Dial(t, e.URL(), etcd.Access{User: "root", Password: etcd.NewSecret("s3cret")})
	begins := func(key string) {
		t.Helper()
		r := <-c.Watch(t.Context(), key, clientv3.WithCreatedNotify())
		require.NoError(t, r.Err())
		require.True(t, r.Created)
	}
	begins("first")
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		require.NoError(t, asked(c)) // what nobody shows ends meanwhile
	}
	begins("later")
}

// Whoever asks how far watches are hears it of all that there are, those too that began with an earlier token.
func TestProgressWithAUser(t *testing.T) {
	e := etcdtest.Embed(t, t.TempDir())
	root := etcdtest.Dial(t, e.URL(), etcd.Access{User: "root", Password: etcd.NewSecret("s3cret")})
	etcdtest.Guard(t, etcdtest.Dial(t, e.URL(), etcd.Access{}), "s3cret")
	begin := func(key string) clientv3.WatchChan {
		heard := root.Watch(clientv3.WithRequireLeader(t.Context()), key, clientv3.WithCreatedNotify())
		require.True(t, (<-heard).Created)
		return heard
	}
	first := begin("quiet")
	_, err := root.UserChangePassword(t.Context(), "root", "s3cret") // which ends all tokens
	require.NoError(t, err)
	second := begin("as quiet")
	p, err := root.Put(t.Context(), "another", "1")
	require.NoError(t, err)
	for _, heard := range []clientv3.WatchChan{first, second} {
		until := time.After(20 * time.Second)
		for at := int64(0); at < p.Header.Revision; {
			require.NoError(t, root.RequestProgress(clientv3.WithRequireLeader(t.Context())))
			select {
			case r := <-heard:
				require.NoError(t, r.Err())
				at = r.Header.Revision
			case <-time.After(100 * time.Millisecond): // it says nothing if a watch was not yet in step
			case <-until:
				require.Fail(t, "nothing is heard")
			}
		}
	}
}

// Whoever prints what holds a secret prints none.
func TestSecret(t *testing.T) {
	type holder struct {
		a etcd.Access // fmt calls no methods of what is not exported
		P *etcd.Secret
		S etcd.Secret
	}
	s := etcd.NewSecret("s3cret")
	h := holder{etcd.Access{User: "u", Password: s}, &s, s}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "h", h, "s", s, "p", &s)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "h", h, "s", s, "p", &s)
	text, err := json.Marshal(map[string]any{"s": s, "a": h.a})
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.NotContains(t, fmt.Sprintf(verb+verb, h, s), "s3cret", verb)
		require.NotContains(t, fmt.Sprintf(verb, s), "733363726574", verb)
	}
	require.NotContains(t, log.String()+string(text), "s3cret")
	got, err := s.Reveal()
	require.NoError(t, err)
	require.Equal(t, "s3cret", got)
}

// A file that everybody reads holds no secret, and an empty line is no password.
func TestSecretFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p")
	var s etcd.Secret
	require.NoError(t, s.Set(file))
	_, err := s.Reveal()
	require.ErrorIs(t, err, os.ErrNotExist)
	for text, want := range map[string]string{"a\nb\n": "a", "a": "a", "a b\r\n": "a b", "": "", "\n": ""} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o640))
		got, err := s.Reveal()
		require.Equal(t, want == "", err != nil)
		require.Equal(t, want, got)
	}
	require.NoError(t, os.Chmod(file, 0o604))
	_, err = s.Reveal()
	require.ErrorContains(t, err, "chmod 600")
}
