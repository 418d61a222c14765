// SPDX-License-Identifier: Apache-2.0

// Package desiredstate makes a target hold what is wanted of it.
//
// A wanted thing is an [Object]. A [Kind] says how objects of one type are
// read from the target, made, changed and unmade. An [Engine] compares what is
// wanted with what is there, plans the difference, applies it in the order that
// the objects' dependencies demand, and repairs what drifts. A [Store] holds
// the wants and their statuses while targets come and go.
//
// The package knows nothing of VPP: any target with names, handles and a way
// to list what it holds will do.
package desiredstate
