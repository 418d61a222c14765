// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.fd.io/govpp/api"
)

// A Script is a list of requests to be made one after the other of a fresh VPP.
//
// The text $DIR in a request stands for the directory given to Record and Replay, and
// the other way round in answers. What differs from one VPP to the next is replaced
// by "*" in answers: the fields of Volatile, pids, ids and build details in the
// messages of VPP's core, the last four bytes of MACs that VPP makes up (they begin
// with 02:fe; use others in scripts), and the number of a route's source if a plugin
// brought it, which depends on what plugins there are.
type Script struct {
	Name     string
	About    string   // what it shows, in a sentence
	Volatile []string // more fields that differ each time: "message.field", "message.list.field"
	Steps    []Step
}

// A Step is one request and what is said about it. Steps with Pipeline wait for the
// next one without it and are sent with it in one go; their answers appear there.
type Step struct {
	Note     string
	Client   int // which connection makes it; each new number is a new connection
	Request  api.Message
	Pipeline bool
}

// volatile fields of the messages that every VPP has.
var volatile = []string{
	"control_ping_reply.vpe_pid",
	"control_ping_reply.client_index",
	"get_first_msg_id_reply.first_msg_id",
	"show_version_reply.build_date",
	"show_version_reply.build_directory",
	"show_vpe_system_time_reply.vpe_system_time",
	"bridge_domain_details.sw_if_details.context",
	"ip_neighbor_details.age",
	"ip_route_v2_details.route.stats_index",
	"sw_interface_ip6nd_ra_details.last_radv_time",
	"sw_interface_ip6nd_ra_details.last_multicast_time",
	"sw_interface_ip6nd_ra_details.next_multicast_time",
	"sw_interface_ip6nd_ra_details.initial_adverts_sent",
	"sw_interface_ip6nd_ra_details.n_advertisements_sent",
	"sw_interface_ip6nd_ra_details.prefixes.valid_lifetime_expires",
	"sw_interface_ip6nd_ra_details.prefixes.pref_lifetime_expires",
}

// unordered are details that VPP dumps in the order of a hash table.
var unordered = []string{"l2_fib_table_details", "bd_ip_mac_details", "sw_interface_vhost_user_details", "ip_route_v2_details", "ip_neighbor_details", "ip_table_details"}

// A said is a message in JSON: its name, and its fields without those that are zero.
type said map[string]json.RawMessage

// say turns a binding into JSON.
func say(m api.Message) (said, error) {
	fields, err := marshal(m)
	return said{m.GetMessageName(): fields}, err
}

// marshal is json.Marshal without HTML in mind, and without MACs of zeros.
func marshal(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	text := bytes.TrimSpace(buf.Bytes())
	text = zeroMACs.ReplaceAll(text, nil)
	return lastZeroMAC.ReplaceAll(text, nil), err
}

// A MAC of zeros says as little as an absent one, and is as good.
var (
	zeroMACs    = regexp.MustCompile(`"[a-z0-9_]+":"00:00:00:00:00:00",`)
	lastZeroMAC = regexp.MustCompile(`,?"[a-z0-9_]+":"00:00:00:00:00:00"`)
)

// message makes the binding that the JSON tells of, for a VPP that knows ids.
func (s said) message(ids map[string]uint16) (api.Message, error) {
	for name, fields := range s {
		for crcName := range ids {
			known, ok := bindings()[crcName]
			if !ok || known.GetMessageName() != name {
				continue
			}
			m := newMessage(known)
			return m, unmarshal(fields, m)
		}
		return nil, fmt.Errorf("no binding fits this VPP's %s", name)
	}
	return nil, fmt.Errorf("empty message")
}

func newMessage(like api.Message) api.Message {
	return reflect.New(reflect.TypeOf(like).Elem()).Interface().(api.Message)
}

const dirMark = "$DIR"

// in puts a directory in the place of $DIR.
func (s said) in(dir string) said { return s.replace(dirMark, dir) }

func (s said) replace(old, new string) said {
	out := make(said, len(s))
	for name, fields := range s {
		out[name] = bytes.ReplaceAll(fields, []byte(old), []byte(new))
	}
	return out
}

var madeUpMAC = regexp.MustCompile(`02:fe(:[0-9a-f]{2}){4}`)

// scrub replaces what differs each time.
func (s said) scrub(dir string, fields []string) (said, error) {
	out := make(said, len(s))
	for name, raw := range s.replace(dir, dirMark) {
		var v any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		for _, field := range slices.Concat(volatile, fields) {
			if path, ok := strings.CutPrefix(field, name+"."); ok {
				blank(v, strings.Split(path, "."))
			}
		}
		blankSource(v)
		text, err := marshal(v)
		if err != nil {
			return nil, err
		}
		out[name] = madeUpMAC.ReplaceAll(text, []byte("02:fe:*"))
	}
	return out, nil
}

// builtinSources is how many sources of routes VPP has without plugins.
const builtinSources = 22

// blankSource puts "*" for the source of a route that is a plugin's.
func blankSource(v any) {
	fields, _ := v.(map[string]any)
	route, _ := fields["route"].(map[string]any)
	if n, ok := route["src"].(json.Number); ok {
		if src, err := n.Int64(); err == nil && src >= builtinSources {
			route["src"] = "*"
		}
	}
}

// blank puts "*" where the path leads, in every element of a list on the way. It also
// sets fields that are absent: whether a volatile value is zero is chance too.
func blank(v any, path []string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			blank(e, path)
		}
	case map[string]any:
		if len(path) == 1 {
			v[path[0]] = "*"
		} else if inner, ok := v[path[0]]; ok {
			blank(inner, path[1:])
		}
	}
}

func (s said) name() string {
	for name := range s {
		return name
	}
	return ""
}

func (s said) String() string {
	for name, fields := range s {
		return fmt.Sprintf("{%q: %s}", name, fields)
	}
	return "{}"
}

// sortUnordered gives the details of hash tables an order.
func sortUnordered(all []said) {
	slices.SortStableFunc(all, func(a, b said) int {
		if a.name() != b.name() || !slices.Contains(unordered, a.name()) {
			return 0
		}
		return strings.Compare(a.String(), b.String())
	})
}

// calm is how long no event must come for a step to be over, once events were asked for.
const calm = 60 * time.Millisecond

// A player runs the steps of a script against one VPP.
type player struct {
	socket, dir string
	volatile    []string
	clients     map[int]*wire
	listening   bool
	pending     map[int][]api.Message
}

func (p *player) close() {
	for _, w := range p.clients {
		w.close()
	}
}

func (p *player) client(n int) (*wire, error) {
	if w := p.clients[n]; w != nil {
		return w, nil
	}
	w, err := dial(p.socket)
	if err != nil {
		return nil, err
	}
	p.clients[n] = w
	return w, nil
}

// play makes one step and fills in what came back.
func (p *player) play(step *RecordedStep) error {
	w, err := p.client(step.Client)
	if err != nil {
		return err
	}
	request, err := step.Request.in(p.dir).message(w.ids)
	if err != nil {
		return err
	}
	p.pending[step.Client] = append(p.pending[step.Client], request)
	if step.Pipeline {
		return nil
	}
	answers, events, err := w.ask(p.pending[step.Client]...)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && p.gone() {
		step.Died = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", request.GetMessageName(), err)
	}
	delete(p.pending, step.Client)
	if step.Answers, err = p.hear(answers); err != nil {
		return err
	}
	p.listening = p.listening || strings.HasPrefix(request.GetMessageName(), "want_")
	if !p.listening {
		return nil
	}
	for _, n := range sortedKeys(p.clients) {
		late, err := p.clients[n].quiet(calm)
		if err != nil {
			return err
		}
		if n == step.Client {
			late = append(events, late...)
		}
		heard, err := p.hear(late)
		if err != nil {
			return err
		}
		step.Events = append(step.Events, heard...)
	}
	return nil
}

// gone tells whether VPP has ended, or only a connection to it.
func (p *player) gone() bool {
	w, err := dial(p.socket)
	if err == nil {
		w.close()
	}
	return err != nil
}

func (p *player) hear(messages []api.Message) (out []said, err error) {
	for _, m := range messages {
		s, err := say(m)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return p.clean(out)
}

// clean scrubs messages and orders them; twice is once.
func (p *player) clean(all []said) (out []said, err error) {
	for _, s := range all {
		if s, err = s.scrub(p.dir, p.volatile); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	sortUnordered(out)
	return out, nil
}
