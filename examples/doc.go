// SPDX-License-Identifier: Apache-2.0

// Package examples holds programs built on vppkit. It is a module of its own,
// so that what they need (etcd, above all) never reaches a library user.
package examples
