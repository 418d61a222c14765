// SPDX-License-Identifier: Apache-2.0

package ovstest

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"log"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/database/inmemory"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
	"github.com/ovn-kubernetes/libovsdb/server"
	"github.com/stretchr/testify/require"
)

//go:embed vswitch.ovsschema
var schema []byte

// The tables as far as anybody here uses them.
type (
	openvswitch struct {
		UUID          string   `ovsdb:"_uuid"`
		Bridges       []string `ovsdb:"bridges"`
		NextCfg       int      `ovsdb:"next_cfg"`
		CurCfg        int      `ovsdb:"cur_cfg"`
		DatapathTypes []string `ovsdb:"datapath_types"`
		IfaceTypes    []string `ovsdb:"iface_types"`
	}
	bridge struct {
		UUID         string            `ovsdb:"_uuid"`
		Name         string            `ovsdb:"name"`
		DatapathType string            `ovsdb:"datapath_type"`
		DatapathID   *string           `ovsdb:"datapath_id"`
		Ports        []string          `ovsdb:"ports"`
		ExternalIDs  map[string]string `ovsdb:"external_ids"`
	}
	port struct {
		UUID        string            `ovsdb:"_uuid"`
		Name        string            `ovsdb:"name"`
		Interfaces  []string          `ovsdb:"interfaces"`
		Tag         *int              `ovsdb:"tag"`
		Trunks      []int             `ovsdb:"trunks"`
		VLANMode    *string           `ovsdb:"vlan_mode"`
		ExternalIDs map[string]string `ovsdb:"external_ids"`
	}
	iface struct {
		UUID    string            `ovsdb:"_uuid"`
		Name    string            `ovsdb:"name"`
		Type    string            `ovsdb:"type"`
		Options map[string]string `ovsdb:"options"`
		OFPort  *int              `ovsdb:"ofport"`
		Error   *string           `ovsdb:"error"`
	}
)

func tables() (model.ClientDBModel, error) {
	return model.NewClientDBModel("Open_vSwitch", map[string]model.Model{
		"Open_vSwitch": &openvswitch{}, "Bridge": &bridge{}, "Port": &port{}, "Interface": &iface{},
	})
}

// memory is a database in memory, and a goroutine for an ovs-vswitchd.
type memory struct {
	dir    string
	kept   *server.OvsdbServer // restarted with what it has
	stop   context.CancelFunc
	events sync.WaitGroup
}

// New starts an OVS in memory, for as long as t lasts.
func New(t testing.TB) *OVS {
	hush()
	dir := shortDir(t)
	return start(t, dir, &memory{dir: dir})
}

func (m *memory) dpdk() bool { return true }

func (m *memory) socket() string { return filepath.Join(m.dir, "db.sock") }

func (m *memory) startDatabase(t testing.TB, anew bool) {
	if anew {
		db, err := tables()
		require.NoError(t, err)
		var s ovsdb.DatabaseSchema
		require.NoError(t, json.Unmarshal(schema, &s))
		full, wrong := model.NewDatabaseModel(s, db)
		require.Empty(t, wrong)
		m.kept, err = server.NewOvsdbServer(inmemory.NewDatabase(map[string]model.ClientDBModel{"Open_vSwitch": db}, nil), nil, full)
		require.NoError(t, err)
	}
	_ = os.Remove(m.socket())
	go func(s *server.OvsdbServer) { _ = s.Serve("unix", m.socket()) }(m.kept)
	require.Eventually(t, func() bool { _, err := os.Stat(m.socket()); return err == nil && m.kept.Ready() }, 5*time.Second, time.Millisecond)
	if anew {
		_, err := transact(m.socket(), ovsdb.Operation{Op: "insert", Table: "Open_vSwitch", Row: ovsdb.Row{"next_cfg": 0}})
		require.NoError(t, err)
	}
}

func (m *memory) stopDatabase(testing.TB) { m.kept.Close() }

func (m *memory) startSwitch(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	db, err := tables()
	require.NoError(t, err)
	c, err := client.NewOVSDBClient(db, client.WithEndpoint("unix:"+m.socket()))
	require.NoError(t, err)
	require.NoError(t, c.Connect(ctx))
	v, err := newVswitchd(ctx, c, filepath.Join(m.dir, "vhost"))
	require.NoError(t, err)
	m.events.Go(func() { defer c.Close(); v.run(ctx) })
}

func (m *memory) stopSwitch(testing.TB) {
	m.stop()
	m.events.Wait()
}

// hush keeps libovsdb's server from logging each change once for each client that has gone: it
// never forgets their monitors.
var hush = sync.OnceFunc(func() { log.SetOutput(quiet{log.Writer()}) })

type quiet struct{ io.Writer }

func (q quiet) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("client error handling update")) {
		return len(line), nil
	}
	return q.Writer.Write(line)
}
