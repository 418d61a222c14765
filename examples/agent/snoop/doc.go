// SPDX-License-Identifier: Apache-2.0

// Package snoop takes frames out of VPP by a memif, keeps them in files, and says in a line what
// one is.
package snoop
