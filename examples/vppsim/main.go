// SPDX-License-Identifier: Apache-2.0

// Vppsim runs the in-memory VPP of package vpptest as a process, for programs that
// are not written in Go or for a look at it with govpp's own tools:
//
//	go run ./examples/vppsim -socket /tmp/vpp.sock -interface GigabitEthernet0/8/0
//
// SIGHUP restarts it as a crash would, SIGUSR1 prints its state, SIGINT ends it.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/vppkit/vppkit/vpptest"
)

func main() {
	var opts []vpptest.Option
	socket := flag.String("socket", "/tmp/vppsim.sock", "`path` of the API socket")
	flag.Func("interface", "`name` of a NIC that exists at the start (repeatable)", func(name string) error {
		opts = append(opts, vpptest.WithInterface(name))
		return nil
	})
	flag.Func("without", "`plugin` to leave out (repeatable)", func(name string) error {
		opts = append(opts, vpptest.WithoutPlugin(name))
		return nil
	})
	flag.Parse()
	if err := run(append(opts, vpptest.WithSocket(*socket))); err != nil {
		fmt.Fprintln(os.Stderr, "vppsim:", err)
		os.Exit(1)
	}
}

func run(opts []vpptest.Option) error {
	vpp, err := vpptest.Start(opts...)
	if err != nil {
		return err
	}
	defer vpp.Close()
	fmt.Println("listening on", vpp.Socket())

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1)
	for s := range signals {
		switch s {
		case syscall.SIGHUP:
			if err := vpp.Restart(); err != nil {
				return err
			}
		case syscall.SIGUSR1:
			fmt.Print(vpp)
		default:
			return nil
		}
	}
	return nil
}
