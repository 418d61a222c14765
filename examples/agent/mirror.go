// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/vppkit/vppkit/examples/agent/etcd"
	"github.com/vppkit/vppkit/examples/agent/mirror"
)

// mirrored keeps what the driver writes to an etcd v2 in an etcd v3, and what agents say
// there in the etcd v2.
func mirrorCommand() *cobra.Command {
	var old, urls string
	var v2, v3 etcd.Access
	m := mirror.Mirror{}
	cmd := &cobra.Command{Use: "mirror", Short: "Keeps an etcd v2, which is what the driver speaks, and an etcd v3 equal"}
	f := cmd.Flags()
	configFlag(f)
	f.StringVar(&old, "v2", "", "`URL[,URL]` of the etcd that the driver writes to, started with --enable-v2")
	accessFlags(f, "v2", &v2)
	f.StringVar(&urls, "etcd", "", "`URL[,URL]` of the agents' etcd v3; it may be the same")
	accessFlags(f, "etcd", &v3)
	f.BoolVar(&m.Adopt, "adopt", false, "believe a --v2 that is not the one mirrored so far: what --etcd has and it does not is deleted")
	f.DurationVar(&m.Resync, "resync", 5*time.Minute, "how often to compare both though nothing asked for it")
	cmd.RunE = func(c *cobra.Command, _ []string) error {
		return mirrored(c.Context(), m, c.ErrOrStderr(), old, urls, v2, v3)
	}
	return cmd
}

func mirrored(ctx context.Context, m mirror.Mirror, errs io.Writer, old, urls string, v2, v3 etcd.Access) error {
	if old == "" || urls == "" || m.Resync <= 0 {
		return errors.New("want --v2, --etcd, and a --resync of more than nothing")
	}
	keys, err := etcd.DialV2(old, v2)
	if err != nil {
		return err
	}
	c, err := etcd.Dial(urls, v3)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	m.V2, m.V3, m.Log = keys, c, slog.New(slog.NewTextHandler(errs, nil))
	m.Log.Info("mirroring", "v2", old, "etcd", urls)
	return ignore(m.Run(ctx), context.Canceled)
}
