// SPDX-License-Identifier: Apache-2.0

package vpptest

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.fd.io/govpp/api"
)

// Releases of VPP whose messages are known, oldest first: what Release takes.
var Releases = []string{"24.10", "25.06", "25.10", "26.06"}

//go:embed releases.txt
var releasesText string

// A release has messages, as name_crc, by module.
type release map[string][]string

// releases are parsed once, by name.
var releases = sync.OnceValue(func() map[string]release {
	all := make(map[string]release)
	for _, name := range Releases {
		all[name] = make(release)
	}
	for line := range strings.Lines(releasesText) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] == "#" {
			continue
		}
		in := words[2:]
		if len(in) == 0 {
			in = Releases
		}
		for _, name := range in {
			all[name][words[0]] = append(all[name][words[0]], words[1])
		}
	}
	return all
})

// Release makes VPP announce the messages of another release, by name and CRC, and call
// itself by its name in show_version. What a message does stays that of 25.10; one that
// the release lacks is unknown, even if it was taught. Modules that are not listed in
// releases.txt, such as a plugin of yours, are as their bindings are. The name "" is for
// what the bindings are of.
func Release(name string) Option { return func(o *options) { o.release = name } }

// messages are the release's of a module; false: it is one that is not listed.
func (o *options) messages(module string) ([]string, bool) {
	names, ok := releases()[o.release][module]
	return names, ok
}

// lacks tells whether the release has no such message, though its module is known.
func (o *options) lacks(m api.Message) bool {
	names, ok := o.messages(module{pkg: moduleOf(m)}.name())
	return ok && !slices.Contains(names, crcName(m))
}

// version is what show_version says.
func (o *options) version() string {
	if o.release == "" {
		return Version
	}
	return o.release + "-release"
}

func (o *options) check() error {
	if o.release != "" && !slices.Contains(Releases, o.release) {
		return fmt.Errorf("vpptest: unknown release %q: want one of %s", o.release, strings.Join(slices.Sorted(maps.Keys(releases())), ", "))
	}
	return nil
}
