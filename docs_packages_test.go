// SPDX-License-Identifier: Apache-2.0

package vppkit_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What go doc shows of a package first says what it is for, whose things are, and what it costs
// to use it from many goroutines, and at all.
func TestPackagesSayWhatMatters(t *testing.T) {
	for _, dir := range library(t) {
		files, _ := parsed(t, dir)
		var text strings.Builder
		for _, f := range files {
			if f.Doc != nil {
				text.WriteString(f.Doc.Text())
			}
		}
		said := text.String()
		require.True(t, strings.HasPrefix(said, "Package "+files[0].Name.Name+" "), dir)
		for what, words := range map[string]string{
			"whose it is":                     `\b(ours|owners?|Whose|others own)\b`,
			"use from many goroutines":        `\b(concurrent|goroutines?)\b`,
			"what a reading or a call costs":  `\b(costs?|seconds|milliseconds?)\b|reading transfers`,
			"its words, by a link to a thing": `\[[A-Z]\w+|\b[A-Z]\w+ says\b|\b(A|An|The) [A-Z]\w+\b|with Handle`,
		} {
			require.Regexp(t, regexp.MustCompile(words), said, "%s does not tell %s", dir, what)
		}
	}
}
