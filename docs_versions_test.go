// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The versions that the README names are those of go.mod, and those whose messages are checked.
func TestVersionsAreTrue(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	readme := string(text)
	for mod, says := range map[string]string{"go.mod": "the library from ", "examples/go.mod": "examples and tests from "} {
		text, err := os.ReadFile(mod)
		require.NoError(t, err)
		version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(text))[1]
		require.Contains(t, readme, says+version, mod)
	}
	releases, err := os.ReadFile("vpptest/releases.txt")
	require.NoError(t, err)
	head, _, _ := strings.Cut(string(releases), "\n\n")
	tags := regexp.MustCompile(`v(\d\d\.\d\d)`).FindAllStringSubmatch(head, -1)
	require.NotEmpty(t, tags)
	for _, tag := range tags {
		require.Regexp(t, `(?m)^\| VPP .*\b`+regexp.QuoteMeta(tag[1])+`\b.*\| messages checked`, readme)
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(readme, -1) {
		_, err := os.Stat(link[1])
		require.NoError(t, err, "README links to what is not there")
	}
}

// A kind is as short as CONTRIBUTING says, which is what makes one worth writing.
func TestAKindOfOnesOwnIsShort(t *testing.T) {
	text, err := os.ReadFile("examples/ownkind/tunnel.go")
	require.NoError(t, err)
	lines := 0
	for line := range strings.Lines(string(text)) {
		if code := strings.TrimSpace(line); code != "" && !strings.HasPrefix(code, "//") {
			lines++
		}
	}
	require.LessOrEqual(t, lines, 75)
	doc, err := os.ReadFile("CONTRIBUTING.md")
	require.NoError(t, err)
	require.Contains(t, string(doc), fmt.Sprintf("does Geneve tunnels in %d lines", lines))
}
