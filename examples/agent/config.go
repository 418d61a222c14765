// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// envPrefix begins the variables that set flags.
const envPrefix = "AGENT_"

// configFlag lets a command's flags be set by a file, for those that the command line and the
// environment do not set.
func configFlag(f *pflag.FlagSet) {
	f.String("config", "", "`file` that sets flags, one a line: \"etcd = http://127.0.0.1:2379\"; flags that can be given several times on several lines")
}

// setting is a flag that something else than the command line sets.
type setting struct{ name, value, by string }

// environment lists what the environment sets.
func environment() (out []setting) {
	for _, v := range os.Environ() {
		name, value, _ := strings.Cut(v, "=")
		if flag, ok := strings.CutPrefix(name, envPrefix); ok {
			out = append(out, setting{strings.ReplaceAll(strings.ToLower(flag), "_", "-"), value, name})
		}
	}
	return out
}

// configure sets the flags that the command line did not. Variables of other commands mean
// nothing here; a file may not say what nobody knows.
func configure(f *pflag.FlagSet, env []setting) error {
	set := map[string]bool{}
	f.Visit(func(x *pflag.Flag) { set[x.Name] = true })
	var errs []error
	apply := func(settings []setting, known bool) {
		now := map[string]bool{}
		for _, s := range settings {
			switch x := f.Lookup(s.name); {
			case x == nil && known:
				errs = append(errs, fmt.Errorf("%s: there is no --%s", s.by, s.name))
			case x == nil || set[s.name]:
			default:
				now[s.name] = true
				if err := f.Set(s.name, s.value); err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", s.by, err))
				}
			}
		}
		for name := range now {
			set[name] = true
		}
	}
	apply(split(f, env), false)
	if x := f.Lookup("config"); x != nil && x.Value.String() != "" {
		lines, err := readConfig(x.Value.String())
		if err != nil {
			return err
		}
		apply(lines, true)
	}
	return errors.Join(errs...)
}

// split has a variable set a flag that can be given several times for each of its words.
func split(f *pflag.FlagSet, env []setting) (out []setting) {
	for _, s := range env {
		if x := f.Lookup(s.name); x == nil || x.Value.Type() != "func" {
			out = append(out, s)
			continue
		}
		for _, word := range strings.Fields(s.value) {
			out = append(out, setting{s.name, word, s.by})
		}
	}
	return out
}

// readConfig reads a file of flags.
func readConfig(path string) (out []setting, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		name, value, ok := strings.Cut(text, "=")
		by := fmt.Sprintf("%s:%d", path, n)
		if !ok {
			return nil, fmt.Errorf("%s: %.60q, want FLAG = VALUE", by, text)
		}
		out = append(out, setting{strings.TrimSpace(name), strings.TrimSpace(value), by})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--config: %s: %w", path, err)
	}
	return out, nil
}
