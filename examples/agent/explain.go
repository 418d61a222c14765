// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/vppkit/vppkit/desiredstate"
	"github.com/vppkit/vppkit/examples/agent/observe"
	"github.com/vppkit/vppkit/examples/agent/translate"
	"github.com/vppkit/vppkit/examples/agent/wants"
)

// Explanation is what is known of an object: VPP's number, who wants it, what it waits for.
type Explanation struct {
	Object    string          `json:"object"`
	State     string          `json:"state"`
	ID        uint32          `json:"id"` // VPP's number
	Error     string          `json:"error,omitempty"`
	Since     time.Time       `json:"since"`
	NextTry   *time.Time      `json:"next_try,omitempty"`
	Leaving   bool            `json:"leaving,omitempty"`
	Wanted    json.RawMessage `json:"wanted,omitempty"` // the object, by its fields
	Type      string          `json:"type,omitempty"`   // of it
	By        []WantedBy      `json:"by,omitempty"`
	WaitsFor  []string        `json:"waits_for,omitempty"`
	Needs     []string        `json:"needs,omitempty"`      // what must be there before it
	NeededBy  []string        `json:"needed_by,omitempty"`  // what must be gone before it goes
	LastThing *observe.Entry  `json:"last_thing,omitempty"` // that happened to it
}

// WantedBy is who wants an object.
type WantedBy struct {
	Source   string `json:"source"`
	Key      string `json:"key,omitempty"`      // of etcd; ends in / if it is all below it. "": it is made of no key
	Revision int64  `json:"revision,omitempty"` // when that was last written
}

// explain finds what is meant: an object, all that a key wants (its UUID), what has a number in VPP,
// or what is called so.
func (a *agent) explain(ctx context.Context, what string) (out []Explanation) {
	number, err := strconv.ParseUint(what, 10, 32)
	isNumber := err == nil
	neededBy := map[desiredstate.Key][]string{}
	var keys []desiredstate.Key
	for k, st := range a.store.Statuses() {
		if o, ok := a.store.Want(k); ok {
			for _, d := range o.Deps() {
				neededBy[d] = append(neededBy[d], k.String())
			}
		}
		wanted := slices.ContainsFunc(a.store.Sources(k), func(s string) bool { return slices.Contains(strings.Split(s, "/"), what) })
		if k.String() == what || k.Name == what || wanted || isNumber && st.State == desiredstate.Applied && uint64(st.ID) == number {
			keys = append(keys, k)
		}
	}
	last := map[string]*observe.Entry{}
	for _, e := range a.insight.history.Entries() {
		last[e.Object] = &e
	}
	slices.SortFunc(keys, desiredstate.Key.Compare)
	for _, k := range keys {
		st, _ := a.store.Status(k)
		x := Explanation{
			Object: k.String(), State: string(st.State), ID: st.ID, Since: st.Since, Leaving: st.Leaving,
			NeededBy: neededBy[k], LastThing: last[k.String()],
		}
		slices.Sort(x.NeededBy)
		if st.Err != nil {
			x.Error = st.Err.Error()
		}
		if !st.NextTry.IsZero() {
			x.NextTry = &st.NextTry
		}
		for _, b := range st.BlockedBy {
			x.WaitsFor = append(x.WaitsFor, b.String())
		}
		if o, ok := a.store.Want(k); ok {
			x.Type = fmt.Sprintf("%T", o)
			x.Wanted, _ = json.Marshal(o) // fields of no JSON are left out
			for _, d := range o.Deps() {
				x.Needs = append(x.Needs, d.String())
			}
		}
		for _, s := range a.store.Sources(k) {
			x.By = append(x.By, a.wantedBy(ctx, s))
		}
		out = append(out, x)
	}
	return out
}

// wantedBy finds the key of a source, and when it was written.
func (a *agent) wantedBy(ctx context.Context, source string) WantedBy {
	w := WantedBy{Source: source}
	family, name, _ := strings.Cut(source, "/")
	switch parent, sub := wants.ParentOf(name); {
	case family == "port" && sub:
		w.Key = a.site.Trunks() + parent
	case family == "port":
		w.Key = a.site.Ports() + name
	case family == "group":
		w.Key = translate.Groups + name
	case family == "router":
		w.Key = a.site.Routers() + name + "/"
	case family == "fip":
		w.Key = a.site.Routers() + translate.FloatingIP{ID: name}.Name()
	case family == "tap":
		w.Key = a.site.Keys() + name
	case family == "remote":
		w.Key = translate.Networks + name + "/"
	default:
		return w
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	opts := []clientv3.OpOption{clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend), clientv3.WithLimit(1), clientv3.WithKeysOnly()}
	if strings.HasSuffix(w.Key, "/") {
		opts = append(opts, clientv3.WithPrefix())
	}
	if got, err := a.etcd.Get(ctx, w.Key, opts...); err == nil && len(got.Kvs) > 0 {
		w.Revision = got.Kvs[0].ModRevision
	}
	return w
}

// unserved says what is wrong with keys of that name, of whichever family, of which nothing comes.
func (a *agent) unserved(what string) string {
	var out []string
	s := a.status()
	for _, line := range slices.Concat(s.Ports, s.Routers, s.Unserved) {
		if line.Error != "" && (line.Name == what || slices.Contains(strings.Split(line.Name, "/"), what)) {
			out = append(out, fmt.Sprintf("%.120q is not served: %s", line.Name, line.Error))
		}
	}
	return strings.Join(out, "\n")
}

func (a *agent) serveExplanation(w http.ResponseWriter, q *http.Request) {
	what := q.FormValue("of")
	all := a.explain(q.Context(), what)
	if len(all) == 0 {
		why := a.unserved(what)
		if _, known, _ := a.inbox.Look(what); !known && why == "" {
			why = fmt.Sprintf("nothing is called %.80q, is wanted by such a key, or has that number in VPP", what)
		}
		if why != "" {
			http.Error(w, why, http.StatusNotFound)
			return
		}
	}
	observe.JSON(w, all)
}

func explainCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "explain OBJECT|UUID|NUMBER", Args: cobra.ExactArgs(1),
		Short: "Says of an object, a port or a number of VPP's what it is, who wants it and what it waits for",
		Long: `Asks a running agent of an object (interface/port-…), of all that a port, a group or a router wants (its UUID), or of
what has a number in VPP (a sw_if_index, the number of a bridge domain or of an ACL). Exits with 3 if any of it is not as wanted.`,
	}
	socket := socketFlag(c)
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		var text bytes.Buffer
		if err := asked(c.Context(), *socket, http.MethodGet, "/explain?of="+url.QueryEscape(args[0]), &text); err != nil {
			return err
		}
		var all []Explanation
		if err := json.Unmarshal(text.Bytes(), &all); err != nil {
			return err
		}
		wrong := slices.ContainsFunc(all, func(x Explanation) bool { return x.State != string(desiredstate.Applied) || x.Leaving })
		out := c.OutOrStdout()
		if *asJSON {
			if _, err := text.WriteTo(out); err != nil {
				return err
			}
			return verdict(wrong)
		}
		for _, x := range all {
			x.print(out)
		}
		return verdict(wrong)
	}
	return c
}

func (x Explanation) print(out io.Writer) {
	fmt.Fprintf(out, "%s\n  state     %s since %s", x.Object, x.State, x.Since.Format(time.RFC3339))
	if x.Leaving {
		fmt.Fprint(out, ", on its way out")
	}
	if x.State == string(desiredstate.Applied) {
		fmt.Fprintf(out, "\n  number    %d", x.ID)
	}
	fmt.Fprintln(out)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(out, "  %-9s %s\n", name, strings.ReplaceAll(value, "\n", "\n            "))
		}
	}
	line("error", x.Error)
	if x.NextTry != nil {
		line("next try", x.NextTry.Format(time.RFC3339))
	}
	line("waits for", strings.Join(x.WaitsFor, ", "))
	for _, by := range x.By {
		text := cmp.Or(by.Key, by.Source+", of no key")
		if by.Revision != 0 {
			text += fmt.Sprintf(" at revision %d", by.Revision)
		}
		line("wanted by", text)
	}
	if x.Type != "" {
		line("wanted", x.Type+" "+string(x.Wanted))
	}
	line("needs", strings.Join(x.Needs, ", "))
	line("needed by", strings.Join(x.NeededBy, ", "))
	if x.LastThing != nil {
		line("last", x.LastThing.String())
	}
}
