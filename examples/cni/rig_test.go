// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/containernetworking/cni/libcni"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/stretchr/testify/require"
)

// TestMain makes the test's binary the plugin where it is called as one. So each command of a
// test is a process, as it is with a runtime, and can be killed at any step.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "userspace" {
		code := m.Run()
		if dir, err := programs(); err == nil {
			_ = os.RemoveAll(dir)
		}
		os.Exit(code)
	}
	var count atomic.Int64
	var reads atomic.Bool // was the last step
	at, _ := strconv.ParseInt(os.Getenv("TEST_KILL_AT"), 10, 64)
	step = func(what string) {
		read := strings.HasPrefix(what, "vpp ") && reading.MatchString(what)
		if again := reads.Swap(read); read && again {
			return // nothing has changed since
		}
		if count.Add(1) == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	main()
}

// reading are the messages by which nothing changes in VPP.
var reading = regexp.MustCompile(`_dump\b|_get\b|\bcontrol_ping\b|\bshow_`)

// rig is a node: a runtime (libcni), its plugins, a data plane.
type rig struct {
	*testing.T
	dir  string      // all files are below it
	args [][2]string // CNI_ARGS
	*libcni.CNIConfig
}

// Other programs that tests call are built once each.
var (
	hostLocal = program("github.com/containernetworking/plugins/plugins/ipam/host-local")
	cniTool   = program("github.com/containernetworking/cni/cnitool")
	podApp    = program("./podapp")
)

// programs is where they lie, until the tests end.
var programs = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "programs") })

func program(pkg string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		dir, err := programs()
		if err != nil {
			return "", err
		}
		bin := filepath.Join(dir, filepath.Base(pkg))
		out, err := exec.Command("go", "build", "-ldflags", "-s -w", "-o", bin, pkg).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return bin, err
	})
}

func newRig(t *testing.T, socket string) *rig {
	dir, err := os.MkdirTemp("", "cni") // short: sockets are in it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	bin := filepath.Join(dir, "bin")
	require.NoError(t, os.Mkdir(bin, 0o755))
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, bin+"/userspace"))
	local, err := hostLocal()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(local, bin+"/host-local"))
	t.Setenv("VPPKIT_API_SOCKET", socket)
	t.Setenv("CNI_NETNS_OVERRIDE", "1")
	t.Setenv("GOGC", "off") // of commands: thousands of short-lived processes, which leave no garbage worth collecting
	t.Setenv("VPPKIT_CNI_DIR", dir+"/own")
	return &rig{T: t, dir: dir, CNIConfig: libcni.NewCNIConfigWithCacheDir([]string{bin}, dir+"/cache", nil)}
}

// conf is a netconf whose files are below the rig's directory, with these keys changed: dotted, with
// a value in JSON.
func (r *rig) conf(change ...string) *libcni.NetworkConfigList {
	text := `{"cniVersion": "1.1.0", "type": "userspace", "name": "net", "sharedDir": "` + r.dir + `/s",
		"host": {"engine": "vpp", "iftype": "memif", "netType": "bridge", "memif": {"role": "master"}, "bridge": {"bridgeId": 4}},
		"ipam": {"type": "host-local", "subnet": "10.56.217.0/24", "dataDir": "` + r.dir + `/ipam", "routes": [{"dst": "0.0.0.0/0"}]}}`
	return r.confOf(text, change...)
}

func (r *rig) confOf(text string, change ...string) *libcni.NetworkConfigList {
	var conf map[string]any
	require.NoError(r, json.Unmarshal([]byte(text), &conf))
	for i := 0; i < len(change); i += 2 {
		var value any
		require.NoError(r, json.Unmarshal([]byte(change[i+1]), &value), change[i+1])
		at, keys := conf, strings.Split(change[i], ".")
		for _, k := range keys[:len(keys)-1] {
			if at[k] == nil {
				at[k] = map[string]any{}
			}
			at = at[k].(map[string]any)
		}
		last := keys[len(keys)-1]
		if at[last] = value; value == nil {
			delete(at, last)
		}
	}
	out, err := json.Marshal(conf)
	require.NoError(r, err)
	one, err := libcni.NetworkPluginConfFromBytes(out)
	require.NoError(r, err)
	list, err := libcni.ConfListFromConf(one) //nolint:staticcheck // as runtimes do with a single netconf
	require.NoError(r, err)
	return list
}

func (r *rig) runtime(container, ifName string) *libcni.RuntimeConf {
	return &libcni.RuntimeConf{ContainerID: container, NetNS: "/proc/1/ns/net", IfName: ifName, Args: r.args}
}

func (r *rig) add(conf *libcni.NetworkConfigList, container, ifName string) (*types100.Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := r.AddNetworkList(ctx, conf, r.runtime(container, ifName))
	if err != nil {
		return nil, err
	}
	return types100.NewResultFromResult(res)
}

func (r *rig) del(conf *libcni.NetworkConfigList, container, ifName string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return r.DelNetworkList(ctx, conf, r.runtime(container, ifName))
}

func (r *rig) check(conf *libcni.NetworkConfigList, container, ifName string) error {
	return r.CheckNetworkList(context.Background(), conf, r.runtime(container, ifName))
}

// files lists all that lies in the shared directories and the IPAM's store, and what is known of leases.
func (r *rig) files() (out []string) {
	for _, dir := range []string{"s", "other", "volume", "ipam", "cache", "own"} {
		_ = filepath.WalkDir(filepath.Join(r.dir, dir), func(path string, d os.DirEntry, err error) error {
			name := strings.TrimPrefix(path, r.dir+"/")
			if err != nil || strings.HasPrefix(name, "ipam/") && (strings.HasSuffix(name, "lock") || strings.Contains(name, "last_reserved_ip")) {
				return nil
			}
			if name == dir || name == "cache/results" || name == "volume/web" || strings.HasPrefix(name, "own/lock-") || d.IsDir() && filepath.Dir(name) == "ipam" { // they stay
				return nil
			}
			out = append(out, name)
			return nil
		})
	}
	sort.Strings(out)
	return out
}

// id is that of a container, as runtimes draw them.
func id(n int) string { return fmt.Sprintf("%012x%052x", 0xabc000000000+n, n) }

// removed removes a file of the rig's.
func (r *rig) removed(file string) error { return os.Remove(filepath.Join(r.dir, file)) }
