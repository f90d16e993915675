// Package storetest holds the behaviour that every engine behind the methods of
// jobstore.Store must show, as a suite that takes a factory of stores:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(dir string, o storetest.Options) (storetest.Store, error) {
//			return mystore.Open(filepath.Join(dir, "jobs"), mystore.Options{Now: o.Now})
//		})
//	}
//
// What a list call answers is held against a naive model, a sorted slice of jobs
// that shares no code with the library: in random histories (which print their
// seed when they fail; -rapid.checks=N runs N of them), in the laws of paging,
// beside concurrent writers, and over every filter, order and cursor. Every
// store that the suite opens is checked with its own Check before it is closed.
//
// RunPlans holds an engine that scans indexes to their bound. It is apart, as an
// engine may well read its pages in another way.
package storetest
