// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

func faultsOfKeys() []fault {
	return []fault{
		{
			what: "junk values", how: "twenty that are drawn: cut, of wrong types, too deep, no UTF-8, a megabyte",
			n: 2, also: "I6 I8", once: func(w *world) {
				for i := range 20 {
					w.bad(uuid(2000+i), w.junk())
				}
				w.serves()
				w.settle() // each is an error under its key
				w.good()
			},
		}, {
			what: "keys that mean ill", how: "../, //, NUL, 4 KiB, another host's",
			n: 1, also: "I6 I8", once: func(w *world) {
				for _, name := range []string{
					"../../../etc/passwd", "a//b", "..", uuid(1) + "/../" + uuid(2), "x\x00y", "\xff\xfe",
					strings.Repeat("x", 4096), " " + uuid(1), "%2e%2e%2f",
				} {
					w.bad(name, port(100))
				}
				w.set("/networking-vpp/nodes/h10/ports/"+uuid(3), port(105))
				w.set("/networking-vpp/nodes/h1x/ports/"+uuid(3), "junk")
				w.serves()
				w.settle()
				w.good()
			},
		}, {
			what: "a giant group", how: "1,000 rules about 2,000 members, which is more than a set may have",
			n: 1, also: "I6 I8", once: func(w *world) {
				w.crowdOf(9, 2000)
				w.group(7, heavy(1000, 9))
				w.want(70, 100, false)
				w.write(w.site.Ports()+uuid(70), secured(100, "10.0.0.7", gid(7)))
				w.serves()
				w.problem(70, "more than")
				w.drop(70)
			},
		}, {
			what: "one key changes all the time", how: "500 times, good and bad, as fast as etcd takes it",
			n: 1, also: "I6", once: func(w *world) {
				logged := len(w.a.log.String())
				for i := range 500 {
					value := port(100)
					if i%2 == 0 {
						value = "junk"
					}
					w.write(w.site.Ports()+uuid(stillPorts), value)
				}
				require.Less(w, len(w.a.log.String())-logged, 4<<20)
				w.serves()
				w.want(stillPorts, 101, false)
			},
		}, {
			what: "keys go while the agent is away", how: "half of the ports, and others change",
			n: 2, once: func(w *world) {
				w.moves()
				w.settle()
				w.a.stop()
				for i := range 3 {
					w.drop(stillPorts + i)
				}
				w.churn(2)
				w.agent(false)
			},
		}, {
			what: "groups go while the agent is away", how: "their keys are deleted or junk; the filters of VPP stand, until they are back",
			n: 2, also: "I8", once: func(w *world) {
				w.a.stop()
				w.group(1, "")
				w.group(0, "junk")
				w.agent(false)
				w.problem(1, "the rules that VPP has stand") // still, and filtered by both
				w.writeGroups()
				w.problem(1, "")
				w.churn(1)
			},
		}, {
			what: "all keys go", how: "deleted one by one, which is an order, and written anew",
			n: 1, died: true, once: func(w *world) {
				before := w.now()
				for i := range stillPorts + busyPorts {
					w.drop(i)
				}
				w.settle()
				w.values, w.vlans, w.groups = before.values, before.vlans, before.groups
				w.writeAll()
			},
		}, {
			what: "the writer dies", how: "kill -9 of agent put while it writes 40 ports; what its journal has accepted comes, all or none",
			n: 3, once: (*world).killWriter,
		},
	}
}

// bad writes the key of a port that cannot be served.
func (w *world) bad(name, value string) {
	w.Helper()
	w.wrong[segment(name)] = true
	w.bads = append(w.bads, name)
	w.write(w.site.Ports()+name, value)
}

// good deletes what is bad.
func (w *world) good() {
	w.Helper()
	for _, name := range w.bads {
		w.write(w.site.Ports()+name, "")
	}
	w.bads = nil
	clear(w.wrong)
}

// junk draws a value of which no port can be made.
func (w *world) junk() string {
	good := secured(100, "10.0.0.1", gid(1))
	switch w.random.IntN(9) {
	case 0:
		return good[:1+w.random.IntN(len(good)-1)]
	case 1:
		return strings.Replace(good, `"segmentation_id":100`, `"segmentation_id":`+[]string{"NaN", "-1", "1e99", `"x"`, "[]", "4096"}[w.random.IntN(6)], 1)
	case 2:
		return strings.Replace(good, `"mac_address":"fa`, `"mac_address":"`+strings.Repeat("f", w.random.IntN(5000)+3), 1)
	case 3:
		return `{"a":` + strings.Repeat("[", 1000+w.random.IntN(30000))
	case 4:
		return "\xff\xfe" + good
	case 5:
		return strings.Repeat("\x00\xff", 1<<19)
	case 6:
		return []string{"null", "[]", "true", `""`, "0", "{}", " "}[w.random.IntN(7)]
	case 7:
		return strings.Replace(good, `"network_type":"vlan"`, `"network_type":"`+fmt.Sprint(w.random.Int())+`"`, 1)
	default:
		return strings.Replace(good, `"binding_type":"vhostuser"`, `"binding_type":{"a":`+fmt.Sprint(w.random.Int())+"}", 1)
	}
}

// killWriter kills who writes many ports, and has another one finish what was accepted.
func (w *world) killWriter() {
	w.Helper()
	var file strings.Builder
	file.WriteString("{")
	for i := range 40 {
		if i > 0 {
			file.WriteString(",")
		}
		fmt.Fprintf(&file, `"nodes/h1/ports/%s": %s`, uuid(300+i), port(100+i%4))
	}
	file.WriteString("}")
	dir := w.TempDir()
	path, journal := filepath.Join(dir, "ports.json"), filepath.Join(dir, "journal")
	require.NoError(w, os.WriteFile(path, []byte(file.String()), 0o600))
	_, kill := w.start("put", "-f", path, "--etcd", w.direct, "--journal", journal)
	w.pause(150 * time.Millisecond)
	kill()
	out, errs, exit := said(w.T, "put", "--etcd", w.direct, "--journal", journal)
	require.Zero(w, exit, "%s%s", out, errs)
	there := 0
	for i := range 40 {
		got, err := w.client.Get(w.Context(), w.site.Ports()+uuid(300+i))
		require.NoError(w, err)
		there += len(got.Kvs)
	}
	require.Contains(w, []int{0, 40}, there, "all or none")
	for i := range there {
		w.vlans[uuid(300+i)], w.values[uuid(300+i)] = 100+i%4, port(100+i%4)
	}
	w.settle()
	for i := range there {
		w.drop(300 + i)
	}
}
