// Package faults injects faults into stores, for real, and holds them to what
// docs/RELIABILITY.md promises: processes are killed, the power of file systems
// is cut, writes and syncs fail, disks fill up, and files are damaged.
//
// It holds tests alone, in a module of its own for the sake of what they need.
// Each runs for a bounded time by default, and longer by a flag; README.md
// lists the commands.
package faults
