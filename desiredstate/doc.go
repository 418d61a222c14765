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
//
// # Whose it is
//
// A kind says of what it finds whether it is ours; what is not is Foreign, may be depended on,
// and is never changed. It becomes ours by [Engine.Adopt] alone. Several components of a program
// divide a kind by [Kind.Claims]. What is ours and not wanted is removed by [Engine.Sync], and by
// [Engine.Run] once the store is complete, but never too much at once: see [Engine.MaxPrune].
//
// # Concurrency
//
// All types are safe for concurrent use. Calls for independent objects run side by side; calls
// that touch the same object wait for each other, object by object. What one engine of a
// [Target] does, the others there know at once. A call ends soon after its ctx does; what
// was under way is read again before anything relies on it.
//
// # Cost
//
// The first call reads the target. After that a change costs what its objects and what depends
// on them cost, whatever the total; what is as wanted costs nothing, and a full reading a third of a
// microsecond for each object, beside what the target takes for it.
package desiredstate
