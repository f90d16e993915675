package workload

import (
	"bytes"
	"fmt"

	"github.com/jobstore/jobstore"
)

// differ returns how the jobs of two pages differ, or nil. Tasks are not
// compared, as lists leave them out.
func differ(a, b []jobstore.Job) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d jobs against %d", len(a), len(b))
	}
	for i := range a {
		if !same(&a[i], &b[i]) {
			return fmt.Errorf("job %d of the page:\n%+v\nagainst\n%+v", i+1, a[i], b[i])
		}
	}
	return nil
}

func same(a, b *jobstore.Job) bool {
	return a.ID == b.ID && a.Kind == b.Kind && a.Status == b.Status &&
		a.Input == b.Input && a.Output == b.Output &&
		bytes.Equal(a.Options, b.Options) && bytes.Equal(a.Metadata, b.Metadata) &&
		bytes.Equal(a.Error, b.Error) &&
		a.CreatedAt.Equal(b.CreatedAt) && a.StartedAt.Equal(b.StartedAt) &&
		a.FinishedAt.Equal(b.FinishedAt) && a.UpdatedAt.Equal(b.UpdatedAt)
}
