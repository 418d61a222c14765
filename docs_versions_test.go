// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
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
