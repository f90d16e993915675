package jobfile_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jobstore/jobstore/jobfile"
)

// A mistake in a file has its line.
func ExampleJobs() {
	file := `{"id":"job_1","kind":"video","status":"queued","input":"https://example.com/a.mp4"}
{"id":"job_2","kind":"cinema","status":"queued","input":"https://example.com/b.mp4"}
`
	for entry, err := range jobfile.Jobs(strings.NewReader(file), false) {
		if place, ok := errors.AsType[*jobfile.PlaceError](err); ok {
			fmt.Printf("%s: %v\n", place.In("jobs.ndjson"), err)
			break
		}
		fmt.Println(entry.Job.ID, entry.Job.Kind)
	}
	// Output:
	// job_1 video
	// jobs.ndjson:2: jobstore: kind "cinema" must be video, audio, image, animation or adaptive_video
}
