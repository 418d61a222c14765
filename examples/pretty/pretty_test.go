// SPDX-License-Identifier: Apache-2.0

package pretty_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/fatih/color"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/pretty"
	"github.com/vppkit/vppkit/vppnet"
	"github.com/vppkit/vppkit/vpptest"
)

// What is made stands after what it hangs on, what goes before, and what fails last, where it
// is seen.
func Example() {
	ctx := context.Background()
	vpp, err := vpptest.Start()
	if err != nil {
		panic(err)
	}
	defer vpp.Close()
	c, err := vppnet.Dial(ctx, vpp.Socket(), "node1")
	if err != nil {
		panic(err)
	}
	defer c.Close()
	e := desiredstate.New(vppnet.BridgeDomains(c), vppnet.BridgePorts(c), vppnet.Loopbacks(c), vppnet.LinkStates(c))
	e.Parallel = 1 // so that handles are given in one order
	net := vppnet.BridgeDomain{Name: "net1", ID: 7}
	if _, err := e.Ensure(ctx, net, vppnet.Loopback{Name: "old"}, vppnet.BridgePort{Bridge: "net1", Interface: "old"}); err != nil {
		panic(err)
	}
	net.NoLearn = true
	p, err := e.Plan(ctx, net, vppnet.Loopback{Name: "vm1"}, vppnet.BridgePort{Bridge: "net1", Interface: "vm1"},
		vppnet.LinkState{Interface: "vm1", Up: true}, vppnet.LinkState{Interface: "vm2", Up: true})
	if err != nil {
		panic(err)
	}
	fmt.Println("The plan:")
	if err := pretty.Plan(os.Stdout, p); err != nil {
		panic(err)
	}
	fmt.Println("What became of it:")
	p.Confirm() // two of three go
	report, _ := e.Apply(ctx, p)
	if err := pretty.Report(os.Stdout, report); err != nil {
		panic(err)
	}
	// Output:
	// The plan:
	//    KIND           OBJECT              WHAT
	// -  bridge-port    bridge-port/old
	// -  loopback       interface/old
	// ~  bridge-domain  bridge-domain/net1  NoLearn: false -> true
	// +  loopback       interface/vm1
	// +  bridge-port    bridge-port/vm1
	// +  link           link/vm1
	// ?  link           link/vm2            missing dependency: interface/vm2
	// 3 to create, 1 to update, 2 to delete, 1 blocked
	// What became of it:
	//    OBJECT              ID  WHAT
	// ~  bridge-domain/net1  7   done
	// -  bridge-port/old         done
	// +  bridge-port/vm1     1   done
	// -  interface/old           done
	// +  interface/vm1       1   done
	// +  link/vm1            1   done
	// ?  link/vm2                missing dependency: interface/vm2
	// 6 changed, 1 not done, of 7
}

// terminal is both ends of one.
func terminal(t *testing.T) (screen, program *os.File) {
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	program, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = program.Close() })
	return screen, program
}

// A terminal gets colours, unless its owner objects; nothing else does. Either way the text is
// the same, so columns are aligned.
func TestColour(t *testing.T) {
	rows := []pretty.Row{{Cells: []string{"+", "a\tb", "c"}, Paint: color.New(color.FgGreen)}, {Cells: []string{"-", "longer", "d"}}}
	var plain bytes.Buffer
	require.NoError(t, pretty.Table(&plain, []string{"", "ONE", "TWO"}, rows))
	require.Equal(t, "   ONE     TWO\n+  a b     c\n-  longer  d\n", plain.String())

	screen, program := terminal(t)
	shown := func() string {
		require.NoError(t, pretty.Table(program, []string{"", "ONE", "TWO"}, rows))
		var all strings.Builder
		for b := make([]byte, 1000); strings.Count(all.String(), "\n") < 3; {
			n, err := screen.Read(b)
			require.NoError(t, err)
			all.Write(b[:n])
		}
		return strings.ReplaceAll(all.String(), "\r\n", "\n")
	}
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	require.Equal(t, "\x1b[1m   ONE     TWO\x1b[22m\n\x1b[32m+  a b     c\x1b[0m\n-  longer  d\n", shown())
	t.Setenv("NO_COLOR", "1")
	require.Equal(t, plain.String(), shown())
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "dumb")
	require.Equal(t, plain.String(), shown())
}
