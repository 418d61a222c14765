// SPDX-License-Identifier: Apache-2.0

//go:build race

package desiredstate_test

const raceEnabled = true
