package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/client"
	"github.com/jobstore/jobstore/jobfile"
)

func newImport() *cobra.Command {
	var im importer
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Put the jobs of a file into the store",
		Long: `Put the jobs of a file, or of standard input, into the store, just as they are. A
job that is there already is replaced.

The file is NDJSON, one job a line, or a JSON array of jobs, such as the list
call returns and export writes. It is read as it comes, about 1,000 jobs are
committed at a time, and what is wrong with a job is said with its line: then the
jobs ahead of it have been committed, and none from there on. Ctrl-C stops
between two commits. To import a file again does no harm.`,
		Example: examples(
			"jobstore import examples/jobs.ndjson",
			"jobstore import --ignore-unknown examples/jobs.ndjson",
			"jobstore import --url http://127.0.0.1:8080 --token secret examples/jobs.ndjson",
			"jobstore export --kind video | jobstore import --db videos.db -",
		),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := openInput(cmd, args[0])
			if err != nil {
				return err
			}
			defer func() { _ = in.Close() }()
			im.file = in.name
			im.bar = newProgress(cmd.ErrOrStderr(), "importing", in.size, "")
			defer im.bar.clear()
			err = withSource(cmd, creating, func(jobs source) error {
				im.jobs = jobs
				return im.run(cmd.Context(), in)
			})
			im.bar.clear()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "imported %s\n", number(im.committed, "job"))
			return err
		},
	}
	cmd.Flags().BoolVar(&im.ignoreUnknown, "ignore-unknown", false, "pass over fields that jobs do not have, instead of refusing them")
	return cmd
}

// An input is a file to import, or standard input.
type input struct {
	io.ReadCloser
	name string
	size int64 // 0 when it is not known
}

func openInput(cmd *cobra.Command, path string) (input, error) {
	if path == "-" {
		return input{io.NopCloser(cmd.InOrStdin()), "standard input", 0}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return input{}, err
	}
	in := input{ReadCloser: f, name: path}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		in.size = info.Size()
	}
	return in, nil
}

// Bounds of a batch, which is committed as one. It is full when it has reached one
// of them. With the largest job as its last it is still smaller than the body that
// a server takes.
const (
	batchJobs  = 1000
	batchBytes = 8 << 20 // of JSON
)

// A batch is a run of jobs on their way into the store.
type batch struct {
	jobs []*jobstore.Job
	read int64 // bytes of the input up to here
	err  error // what ended the reading behind these jobs
}

// An importer puts the jobs of one input into a source.
type importer struct {
	jobs          source
	file          string // as errors call it
	ignoreUnknown bool
	bar           *progress

	committed int
}

// run imports the jobs of r. Reading and committing go on side by side, so that
// a Ctrl-C is heard while r has nothing to give.
func (im *importer) run(ctx context.Context, r io.Reader) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	batches := make(chan batch)
	go func() {
		defer close(batches)
		im.read(ctx, r, batches)
	}()
	for {
		var b batch
		var more bool
		select {
		case b, more = <-batches:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return im.failed(ctx.Err())
		}
		if !more {
			return nil
		}
		if err := im.jobs.Put(ctx, b.jobs...); err != nil {
			return im.failed(err)
		}
		im.committed += len(b.jobs)
		if b.err != nil {
			return im.failed(b.err)
		}
		im.bar.describe(fmt.Sprintf("imported %s %s", humanize.Comma(int64(im.committed)), plural(im.committed, "job")))
		im.bar.set(b.read)
	}
}

// failed returns err with its place in the input, and with how far the import has
// come. What it returns is not ErrInvalid: the mistake is in the file and not in the
// call, so that the exit code is not that of usage.
func (im *importer) failed(err error) error {
	where, what := im.file, err.Error()
	interrupted := errors.Is(err, context.Canceled)
	if at, ok := errors.AsType[*jobfile.PlaceError](err); ok {
		where = at.In(im.file)
	}
	switch {
	case errors.Is(err, jobfile.ErrUnknownField):
		what += "; --ignore-unknown passes over such fields"
	case errors.Is(err, client.ErrOutcomeUnknown) && !interrupted:
		what += "; to import again does no harm"
	case errors.Is(err, client.ErrOutcomeUnknown):
		what = "interrupted; " + client.ErrOutcomeUnknown.Error()
	case interrupted:
		what = "interrupted"
	}
	verb := "were"
	if im.committed == 1 {
		verb = "was"
	}
	what = strings.TrimPrefix(what, jobstore.ErrInvalid.Error()+": ")
	text := fmt.Sprintf("%s: %s; %s %s committed", where, what, number(im.committed, "job"), verb)
	if interrupted {
		return interruption(text)
	}
	return errors.New(text)
}

// read sends the jobs of r in batches until they end or ctx does.
func (im *importer) read(ctx context.Context, r io.Reader, batches chan<- batch) {
	counted := &countingReader{r: r}
	var b batch
	size := 0
	send := func() bool {
		b.read = counted.n
		select {
		case batches <- b:
		case <-ctx.Done():
			return false
		}
		b, size = batch{}, 0
		return true
	}
	for entry, err := range jobfile.Jobs(counted, im.ignoreUnknown) {
		if err != nil {
			b.err = err
			break
		}
		b.jobs = append(b.jobs, entry.Job)
		size += entry.Size
		if (len(b.jobs) == batchJobs || size >= batchBytes) && !send() {
			return
		}
	}
	send()
}

// A countingReader knows how many bytes were read through it.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
