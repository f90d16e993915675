// Package storetest holds the behaviour that every engine behind the methods of
// [jobstore.Store] must show, as a suite that takes a factory of stores:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(dir string, o storetest.Options) (storetest.Store, error) {
//			return mystore.Open(filepath.Join(dir, "jobs"), mystore.Options{Now: o.Now, MintedOnly: o.MintedOnly})
//		})
//	}
//
// The suite compares what a list call answers with a simple model: a sorted slice of
// jobs that shares no code with the library. It does so in random histories, in the
// laws of paging, beside concurrent writers, and over every filter, order and cursor.
// A history that fails prints its seed; -rapid.checks=N runs N histories. Every store
// that the suite opens is checked with its own Check before it is closed.
//
// RunPlans tests the bound of engines that scan indexes. It is separate, as an engine
// may read its pages in another way.
package storetest
