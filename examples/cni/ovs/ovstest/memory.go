// SPDX-License-Identifier: Apache-2.0

package ovstest

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"path/filepath"
	"sync"

	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/database/inmemory"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
	"github.com/ovn-kubernetes/libovsdb/server"
)

//go:embed vswitch.ovsschema
var schema []byte

// The tables as far as anybody here uses them.
type (
	openvswitch struct {
		UUID          string            `ovsdb:"_uuid"`
		Bridges       []string          `ovsdb:"bridges"`
		NextCfg       int               `ovsdb:"next_cfg"`
		CurCfg        int               `ovsdb:"cur_cfg"`
		DatapathTypes []string          `ovsdb:"datapath_types"`
		IfaceTypes    []string          `ovsdb:"iface_types"`
		OtherConfig   map[string]string `ovsdb:"other_config"`
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
	dir  string
	kept *server.OvsdbServer // restarted with what it has
	work sync.WaitGroup

	stop     context.CancelFunc // of ovs-vswitchd
	vswitchd sync.WaitGroup
}

func (m *memory) dpdk() bool { return true }

func (m *memory) socket() string { return filepath.Join(m.dir, "db.sock") }

func (m *memory) startDatabase(anew bool) error {
	if anew {
		db, err := tables()
		if err != nil {
			return err
		}
		var s ovsdb.DatabaseSchema
		if err := json.Unmarshal(schema, &s); err != nil {
			return err
		}
		full, wrong := model.NewDatabaseModel(s, db)
		if len(wrong) > 0 {
			return errors.Join(wrong...)
		}
		m.kept, err = server.NewOvsdbServer(inmemory.NewDatabase(map[string]model.ClientDBModel{"Open_vSwitch": db}, nil), nil, full)
		if err != nil {
			return err
		}
	}
	_ = os.Remove(m.socket())
	s := m.kept
	m.work.Go(func() { _ = s.Serve("unix", m.socket()) })
	row := ovsdb.Operation{Op: "select", Table: "Open_vSwitch"}
	if anew {
		row = ovsdb.Operation{Op: "insert", Table: "Open_vSwitch", Row: ovsdb.Row{"other_config": ovsdb.OvsMap{GoMap: map[any]any{"dpdk-init": "true", "vhost-sock-dir": "vhost"}}}}
	}
	return eventually("libovsdb's server", func() bool { _, err := transact(m.socket(), row); return err == nil })
}

func (m *memory) stopDatabase() {
	if m.kept != nil {
		m.kept.Close()
	}
}

func (m *memory) startSwitch() error {
	db, err := tables()
	if err != nil {
		return err
	}
	c, err := client.NewOVSDBClient(db, client.WithEndpoint("unix:"+m.socket()))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	if err := c.Connect(ctx); err != nil {
		return err
	}
	v, err := newVswitchd(ctx, c, filepath.Join(m.dir, "vhost"))
	if err != nil {
		return err
	}
	m.vswitchd.Go(func() { defer c.Close(); v.run(ctx) })
	return nil
}

func (m *memory) stopSwitch() {
	if m.stop != nil {
		m.stop()
	}
	m.vswitchd.Wait()
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
