// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.fd.io/govpp/binapi/vpe"
)

// A Recording is a script with what a VPP answered to it.
type Recording struct {
	Script   string         `json:"script"`
	About    string         `json:"about,omitempty"`
	VPP      string         `json:"vpp"` // the version that answered
	Volatile []string       `json:"volatile,omitempty"`
	Steps    []RecordedStep `json:"steps"`
}

// A RecordedStep is one request, the answers to it in their order, and the events
// that came before the next step. VPP can have died of it; then it is the last one.
type RecordedStep struct {
	Note     string            `json:"note,omitempty"`
	Client   int               `json:"client,omitempty"`
	Pipeline bool              `json:"pipeline,omitempty"`
	As       string            `json:"as,omitempty"`
	From     map[string]string `json:"from,omitempty"`
	Request  said              `json:"request"`
	Answers  []said            `json:"answers,omitempty"`
	Events   []said            `json:"events,omitempty"`
	Died     bool              `json:"died,omitempty"`
}

// Record makes the requests of s of the VPP at socket, which should be fresh: indices
// are recorded as they come. Dir is what $DIR stands for. The recording ends where VPP
// dies.
func Record(socket, dir string, s Script) (*Recording, error) {
	r, err := s.recording()
	if err != nil {
		return nil, err
	}
	return r.Again(socket, dir)
}

// Again is a new recording of the same requests, made of the VPP at socket. It ends
// where VPP dies.
func (r *Recording) Again(socket, dir string) (*Recording, error) {
	version, err := versionOf(socket)
	if err != nil {
		return nil, fmt.Errorf("vpptest: %w", err)
	}
	out := &Recording{Script: r.Script, About: r.About, VPP: version, Volatile: r.Volatile}
	p := out.player(socket, dir)
	defer p.close()
	for i, step := range r.Steps {
		step.Answers, step.Events, step.Died = nil, nil, false
		if err := p.play(&step); err != nil {
			return nil, fmt.Errorf("vpptest: script %s, step %d: %w", r.Script, i+1, err)
		}
		out.Steps = append(out.Steps, step)
		if step.Died {
			break
		}
	}
	return out, nil
}

// recording is the script without answers.
func (s Script) recording() (*Recording, error) {
	r := &Recording{Script: s.Name, About: s.About, Volatile: s.Volatile}
	waits := make(map[int]int) // the step that a client does not send before the next one
	for i, step := range s.Steps {
		request, err := say(step.Request)
		if err != nil {
			return nil, fmt.Errorf("vpptest: script %s, step %d: %w", s.Name, i+1, err)
		}
		if delete(waits, step.Client); step.Pipeline {
			waits[step.Client] = i + 1
		}
		r.Steps = append(r.Steps, RecordedStep{
			Note: step.Note, Client: step.Client, Pipeline: step.Pipeline, As: step.As, From: step.From, Request: request,
		})
	}
	for _, client := range sortedKeys(waits) {
		return nil, fmt.Errorf("vpptest: script %s, step %d: with Pipeline it waits for a next step of client %d, which does not come: the last one has no Pipeline", s.Name, waits[client], client)
	}
	return r, nil
}

func (r *Recording) player(socket, dir string) *player {
	return &player{
		socket: socket, dir: dir, volatile: r.Volatile,
		clients: make(map[int]*wire), pending: make(map[int][][]byte), named: make(map[string][]said),
	}
}

// Replay makes the recorded requests of the VPP at socket and compares what it answers.
// The error joins one for every step that went otherwise.
func (r *Recording) Replay(socket, dir string) (err error) {
	p := r.player(socket, dir)
	defer p.close()
	var errs []error
	for i, want := range r.Steps {
		if want.Answers, err = p.clean(want.Answers); err != nil { // one may have been made by an older vpptest
			return fmt.Errorf("%s, step %d: %w", r.Script, i+1, err)
		}
		have := RecordedStep{Client: want.Client, Pipeline: want.Pipeline, As: want.As, From: want.From, Request: want.Request}
		if err := p.play(&have); err != nil {
			return errors.Join(append(errs, fmt.Errorf("%s, step %d: %w", r.Script, i+1, err))...)
		}
		diff := compare("answer", want.Answers, have.Answers) + compare("event", want.Events, have.Events)
		if want.Died != have.Died {
			diff += fmt.Sprintf("  died: recorded %v, now %v\n", want.Died, have.Died)
		}
		if diff != "" {
			errs = append(errs, fmt.Errorf("%s, step %d: %s %s\n%s", r.Script, i+1, want.Request, want.Note, diff))
		}
		if have.Died {
			break
		}
	}
	return errors.Join(errs...)
}

// Matches tells how the requests of s differ from those recorded: nil means that the
// recording is still one of this script.
func (r *Recording) Matches(s Script) error {
	now, err := s.recording()
	if err != nil {
		return err
	}
	asked := func(r *Recording) (out []string) {
		for _, step := range r.Steps {
			out = append(out, fmt.Sprint(step.Client, step.Pipeline, step.As, step.From, step.Request))
		}
		return out
	}
	if !slices.Equal(asked(r), asked(now)) {
		return fmt.Errorf("vpptest: script %s has changed since it was recorded", s.Name)
	}
	return nil
}

func compare(what string, want, have []said) string {
	var b strings.Builder
	for i := range max(len(want), len(have)) {
		w, h := "nothing", "nothing"
		if i < len(want) {
			w = want[i].String()
		}
		if i < len(have) {
			h = have[i].String()
		}
		if w != h {
			fmt.Fprintf(&b, "  %s %d\n    recorded %s\n    now      %s\n", what, i+1, w, h)
		}
	}
	return b.String()
}

// Load reads a recording from a file.
func Load(path string) (*Recording, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("vpptest: %w", err)
	}
	r := new(Recording)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("vpptest: %s: %w", path, err)
	}
	return r, nil
}

// Save writes a recording to a file, one message a line.
func (r *Recording) Save(path string) error {
	var b bytes.Buffer
	field := func(indent, name string, v any, end string) {
		text, _ := marshal(v)
		fmt.Fprintf(&b, "%s%q: %s%s\n", indent, name, text, end)
	}
	list := func(name string, all []said, end string) {
		fmt.Fprintf(&b, "      %q: [", name)
		for i, s := range all {
			if i > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, "\n        %s", s)
		}
		if len(all) > 0 {
			b.WriteString("\n      ")
		}
		fmt.Fprintf(&b, "]%s\n", end)
	}
	b.WriteString("{\n")
	field("  ", "script", r.Script, ",")
	if r.About != "" {
		field("  ", "about", r.About, ",")
	}
	field("  ", "vpp", r.VPP, ",")
	if len(r.Volatile) > 0 {
		field("  ", "volatile", r.Volatile, ",")
	}
	b.WriteString("  \"steps\": [")
	for i, step := range r.Steps {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n    {\n")
		if step.Note != "" {
			field("      ", "note", step.Note, ",")
		}
		if step.Client != 0 {
			field("      ", "client", step.Client, ",")
		}
		if step.As != "" {
			field("      ", "as", step.As, ",")
		}
		if len(step.From) > 0 {
			field("      ", "from", step.From, ",")
		}
		if step.Pipeline {
			fmt.Fprintf(&b, "      \"pipeline\": true,\n      \"request\": %s\n    }", step.Request)
			continue
		}
		fmt.Fprintf(&b, "      \"request\": %s,\n", step.Request)
		if step.Died {
			fmt.Fprintf(&b, "      \"died\": true\n    }")
			continue
		}
		if len(step.Events) == 0 {
			list("answers", step.Answers, "")
		} else {
			list("answers", step.Answers, ",")
			list("events", step.Events, "")
		}
		b.WriteString("    }")
	}
	b.WriteString("\n  ]\n}\n")
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func versionOf(socket string) (string, error) {
	w, err := dial(socket)
	if err != nil {
		return "", err
	}
	defer w.close()
	answers, _, err := w.ask(&vpe.ShowVersion{})
	if err != nil {
		return "", err
	}
	for _, m := range answers {
		if reply, ok := m.(*vpe.ShowVersionReply); ok {
			return reply.Version, nil
		}
	}
	return "", errors.New("no answer to show_version")
}
