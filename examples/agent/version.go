// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is what this program is.
type version struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of its source; "+changes" if it was not all committed
	Go       string `json:"go"`
	Bindings string `json:"govpp"` // whose VPP messages it speaks
}

func thisVersion() version {
	v := version{Version: "unknown"}
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version, v.Go = cmp.Or(b.Main.Version, "(devel)"), b.GoVersion
	changes := ""
	for _, s := range b.Settings {
		switch {
		case s.Key == "vcs.revision":
			v.Revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changes = "+changes"
		}
	}
	if v.Revision != "" {
		v.Revision += changes
	}
	for _, d := range b.Deps {
		if d.Path == "go.fd.io/govpp" {
			v.Bindings = d.Version
		}
	}
	return v
}

func (v version) String() string {
	return strings.Join([]string{"agent " + v.Version, cmp.Or(v.Revision, "no revision"), v.Go, "govpp " + cmp.Or(v.Bindings, "unknown")}, ", ")
}

func versionCommand() *cobra.Command {
	c := &cobra.Command{Use: "version", Short: "Says which agent this is"}
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *asJSON {
			return printJSON(c.OutOrStdout(), thisVersion())
		}
		_, err := fmt.Fprintln(c.OutOrStdout(), thisVersion())
		return err
	}
	return c
}
