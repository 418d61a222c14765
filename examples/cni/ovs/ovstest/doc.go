// SPDX-License-Identifier: Apache-2.0

// Package ovstest gives tests an Open vSwitch of their own: a real one, in a directory and a
// network namespace of its own, or one in memory, where libovsdb's server holds the database
// and a goroutine stands in for ovs-vswitchd. Both are reached through a proxy that counts what
// is written, and refuses, loses or cuts what it is told to.
//
// The file vswitch.ovsschema is Open vSwitch's own, of version 3.1.0 (vswitchd/vswitch.ovsschema;
// copyright of the Open vSwitch authors, Apache License 2.0), unchanged.
package ovstest
