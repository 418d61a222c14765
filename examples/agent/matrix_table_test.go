// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"
)

func sorted(s []string) []string { slices.Sort(s); return slices.Compact(s) }

func record(t *testing.T, all []outcome, real bool) {}
