// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	flag "github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/vppkit/vppkit/examples/agent/controller"
	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/translate"
)

// reach is how commands that write or read keys get at an etcd, and how long they try.
type reach struct {
	urls   string
	access etcd.Access
	wait   time.Duration
}

func (r *reach) register(f *flag.FlagSet) {
	f.StringVar(&r.urls, "etcd", "", "`URL[,URL]` of etcd v3")
	accessFlags(f, "etcd", &r.access)
	f.DurationVar(&r.wait, "timeout", time.Minute, "how long to wait")
	configFlag(f)
}

func (r *reach) dial() (*clientv3.Client, error) {
	if r.urls == "" {
		return nil, errors.New("--etcd is missing")
	}
	return etcd.Dial(r.urls, r.access)
}

// fullKey lets keys be named without the prefix that all have.
func fullKey(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return translate.Root + name
}

func putCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "put [KEY VALUE]", Short: "Writes what a host shall be, by a journal",
		Long: `Writes what a host shall be. A value that no host would serve is refused. What is accepted is in the
journal's file before anything else, and comes to etcd once and in order, though this command be killed: another
put goes on with it. Without KEY and VALUE it only does that.

KEY is below /networking-vpp/: nodes/compute-1/ports/UUID. VALUE "-" is read from the standard input. With --file, a
JSON object of keys and values is written, as one entry; the value null deletes.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 0 && len(args) != 2 {
				return errors.New("want KEY and VALUE, or neither")
			}
			return nil
		},
	}
	w := newWriting(c)
	file := c.Flags().StringP("file", "f", "", "JSON `file` of keys and values, \"-\": the standard input")
	c.RunE = func(c *cobra.Command, args []string) error {
		var changes []controller.Change
		switch {
		case *file != "":
			text, err := readText(*file, c.InOrStdin())
			if err != nil {
				return err
			}
			if changes, err = keysAndValues(text); err != nil {
				return err
			}
		case len(args) == 2:
			value := args[1]
			if value == "-" {
				text, err := readText("-", c.InOrStdin())
				if err != nil {
					return err
				}
				value = string(text)
			}
			if value == "" {
				return usageError{errors.New("the value is empty; agent delete deletes")}
			}
			changes = []controller.Change{{Key: fullKey(args[0]), Value: value}}
		}
		return w.write(c, changes...)
	}
	return c
}

func deleteCommand() *cobra.Command {
	c := &cobra.Command{Use: "delete KEY...", Short: "Deletes what a host should be, by a journal", Args: cobra.MinimumNArgs(1)}
	w := newWriting(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var changes []controller.Change
		for _, key := range args {
			changes = append(changes, controller.Change{Key: fullKey(key)})
		}
		return w.write(c, changes...)
	}
	return c
}

func readText(name string, in io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(in)
	}
	return os.ReadFile(name)
}

// keysAndValues reads an object of keys, in its order. Values that are no text are JSON themselves.
func keysAndValues(text []byte) (out []controller.Change, err error) {
	d := json.NewDecoder(strings.NewReader(string(text)))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(errors.New("not a JSON object of keys and values"), err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, fmt.Errorf("%v: %w", key, err)
		}
		c := controller.Change{Key: fullKey(fmt.Sprint(key)), Value: string(raw)}
		if c.Value == "null" {
			c.Value = ""
		} else if json.Unmarshal(raw, &c.Value) != nil {
			c.Value = string(raw)
		}
		out = append(out, c)
	}
	return out, nil
}

// writing is what put and delete have in common.
type writing struct {
	reach
	journal string
	adopt   bool
}

func newWriting(c *cobra.Command) *writing {
	var w writing
	w.register(c.Flags())
	c.Flags().StringVar(&w.journal, "journal", defaultJournal, "`file` in which is what etcd does not have yet")
	c.Flags().BoolVar(&w.adopt, "adopt", false, "go on with an etcd that is not the one written to so far, or lost some of it")
	return &w
}

// write accepts changes as one entry, and waits until etcd has them.
func (w *writing) write(c *cobra.Command, changes ...controller.Change) error {
	client, err := w.dial()
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if err := makePlace(w.journal, defaultJournal, 0o700); err != nil {
		return fmt.Errorf("--journal: %w", err)
	}
	j, err := controller.Open(w.journal, client, controller.Options{Adopt: w.adopt, Lost: patient(c.ErrOrStderr())})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context(), w.wait)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	run, stop := context.WithCancel(ctx)
	g.Go(func() error {
		if err := j.Run(run); run.Err() == nil {
			return err
		}
		return nil
	})
	g.Go(func() error {
		defer stop()
		seq := j.Status().Accepted
		if len(changes) > 0 {
			var err error
			if seq, err = j.Accept(ctx, "", changes...); err != nil {
				return err
			}
		}
		revision, err := j.Written(ctx, seq)
		if err != nil {
			return fmt.Errorf("accepted, and not in etcd yet; the next agent put goes on with it: %w", err)
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "entry %d, revision %d\n", seq, revision)
		return err
	})
	return errors.Join(g.Wait(), j.Close())
}

func getCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "get KEY", Args: cobra.ExactArgs(1), Short: "Prints a key, or all below it",
		Long: "Prints the value of a key, or, if it ends in /, the keys and values below it. Exits with 1 if there is none.",
	}
	var r reach
	r.register(c.Flags())
	asJSON := c.Flags().Bool("json", false, "print JSON: key, value, revision")
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := r.dial()
		if err != nil {
			return err
		}
		defer func() { _ = client.Close() }()
		ctx, cancel := context.WithTimeout(c.Context(), r.wait)
		defer cancel()
		key := fullKey(args[0])
		var opts []clientv3.OpOption
		if strings.HasSuffix(key, "/") {
			opts = append(opts, clientv3.WithPrefix())
		}
		got, err := waitedFor(ctx, c.ErrOrStderr(), "etcd", func(ctx context.Context) (*clientv3.GetResponse, error) {
			return client.Get(ctx, key, opts...)
		})
		if err != nil {
			return err
		}
		if len(got.Kvs) == 0 {
			return fmt.Errorf("%s: there is none", key)
		}
		for _, kv := range got.Kvs {
			switch out := c.OutOrStdout(); {
			case *asJSON:
				err = json.NewEncoder(out).Encode(map[string]any{"key": string(kv.Key), "value": string(kv.Value), "revision": kv.ModRevision})
			case len(opts) > 0:
				_, err = fmt.Fprintf(out, "%s %s\n", kv.Key, kv.Value)
			default:
				_, err = fmt.Fprintf(out, "%s\n", kv.Value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

func waitCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "wait HOST [PORT]", Args: cobra.RangeArgs(1, 2), Short: "Waits until a host is as it shall be, or a port is bound",
		Long: `Waits until the agent of a host has applied, or reported as wrong, all keys of the host as they were at a
revision of etcd, which agent put and agent delete print; without --revision, at the last put of a key of the host. With PORT, a UUID, it waits until that
port is bound. Exits with 1 if that did not come in time, 3 if the agent says that the port cannot be served.`,
	}
	var r reach
	r.register(c.Flags())
	revision := c.Flags().Int64("revision", 0, "`number` of the revision; 0: that of the host's last put, for a port of its key")
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := r.dial()
		if err != nil {
			return err
		}
		defer func() { _ = client.Close() }()
		ctx, cancel := context.WithTimeout(c.Context(), r.wait)
		defer cancel()
		site := translate.Site{Host: args[0]}
		at := *revision
		if at == 0 {
			key, opts := site.Keys(), append(clientv3.WithLastRev(), clientv3.WithKeysOnly()) // of others' writes the agent need not hear
			if len(args) == 2 {
				key, opts = site.Ports()+args[1], nil
			}
			got, err := waitedFor(ctx, c.ErrOrStderr(), "etcd", func(ctx context.Context) (*clientv3.GetResponse, error) {
				return client.Get(ctx, key, opts...)
			})
			if err != nil {
				return err
			}
			switch {
			case len(got.Kvs) > 0:
				at = got.Kvs[0].ModRevision
			case len(args) == 2:
				return fmt.Errorf("%s: there is no such key", key)
			}
		}
		what, until := "host "+args[0], func(ctx context.Context) error { return controller.Applied(ctx, client, args[0], at) }
		if len(args) == 2 {
			what, until = "port "+args[1], func(ctx context.Context) error { return controller.Bound(ctx, client, args[0], args[1], at) }
		}
		_, err = waitedFor(ctx, c.ErrOrStderr(), what, func(ctx context.Context) (struct{}, error) {
			err := until(ctx)
			if errors.Is(err, controller.ErrWrong) {
				fmt.Fprintln(c.ErrOrStderr(), err)
				cancel()
			}
			return struct{}{}, err
		})
		if errors.Is(err, controller.ErrWrong) {
			return errWrong
		}
		return err
	}
	return c
}
