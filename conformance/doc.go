// Package conformance holds jobstore to independent implementations of the
// standards that it follows. It has tests alone.
package conformance
