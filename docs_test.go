// SPDX-License-Identifier: Apache-2.0

// Package vppkit_test keeps the Markdown beside it true.
package vppkit_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/vhost"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// taste is the README's.
func taste(ctx context.Context, socket string) error {
	c, err := vppnet.Dial(ctx, socket, "node1") // "node1" scopes what is ours
	if err != nil {
		return err
	}
	defer c.Close()

	engine := desiredstate.New(
		vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.LinkStates(c), vhost.Ports(c, "/run/vms"))

	plan, err := engine.Plan(ctx,
		vppnet.BridgeDomain{Name: "net1"},
		vhost.Port{Name: "vm1", Socket: "/run/vms/vm1.sock"},
		vppnet.BridgePort{Bridge: "net1", Interface: "vm1"},
		vppnet.LinkState{Interface: "vm1", Up: true},
	)
	if err != nil {
		return err
	}
	fmt.Print(plan)                        // the dry run
	report, err := engine.Apply(ctx, plan) // in order, as concurrently as the order allows
	fmt.Println(report.Changed(), "done")
	return err
}

func Example() {
	vpp, err := vpptest.Start()
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	fmt.Println("error:", taste(context.Background(), vpp.Socket()))

	// Output:
	// + bridge-domain/net1
	// + bridge-port/vm1
	// + interface/vm1 (vhost-port)
	// + link/vm1
	// 4 to create
	// 4 done
	// error: <nil>
}

var goBlock = regexp.MustCompile("(?s)\n```go\n(.*?)\n```\n")

// What the documents quote stands in the source, line by line, but for how deep
// it is indented.
func TestQuotedCodeIsReal(t *testing.T) {
	var source strings.Builder
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" {
			text, err := os.ReadFile(path)
			source.WriteString(flat(string(text)))
			return err
		}
		return err
	}))
	for _, doc := range []string{"README.md", "CONTRIBUTING.md", "docs/from-govpp.md"} {
		text, err := os.ReadFile(doc)
		require.NoError(t, err)
		blocks := goBlock.FindAllStringSubmatch(string(text), -1)
		require.NotEmpty(t, blocks, doc)
		require.Len(t, blocks, strings.Count(string(text), "```go\n"), doc) // "```go before" is others'
		for _, b := range blocks {
			if !strings.Contains(source.String(), flat(b[1])) {
				t.Errorf("%s quotes what is in no source file:\n%s", doc, b[1])
			}
		}
	}
}

// flat takes the indentation away.
func flat(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return "\n" + b.String()
}
