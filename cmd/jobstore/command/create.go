package command

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobfile"
)

func newCreate() *cobra.Command {
	var body string
	var quiet bool
	cmd := &cobra.Command{
		Use:   "create --body JSON",
		Short: "Create a job and print it",
		Long: `Create a job and print it.

The body is the JSON object that the API takes: input (a URL that starts with
http://, https:// or s3://) and kind must be there; options, output (a URL
s3://bucket/key) and metadata may be. The job is queued and gets a new ID.`,
		Example: examples(
			`jobstore create --body '{"kind":"video","input":"https://example.com/video.mp4"}'`,
			`echo '{"kind":"image","input":"s3://bucket/photo.heic"}' | jobstore create --body -`,
			`jobstore create --quiet --body '{"kind":"audio","input":"s3://bucket/talk.wav"}'`,
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text := []byte(body)
			if body == "-" {
				var err error
				if text, err = readBody(cmd.Context(), cmd.InOrStdin()); err != nil {
					return err
				}
			}
			job, err := jobfile.ParseBody(text)
			if err != nil {
				return err
			}
			return withSource(cmd, creating, func(jobs source) error {
				if err := jobs.Create(cmd.Context(), job); err != nil {
					return err
				}
				if quiet {
					_, err := fmt.Fprintln(cmd.OutOrStdout(), job.ID)
					return err
				}
				return writeJob(cmd.OutOrStdout(), job)
			})
		},
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the ID alone")
	cmd.Flags().StringVar(&body, "body", "", "the job as `JSON`, or - to read it from standard input")
	complete(cmd, "body", "-")
	if err := cmd.MarkFlagRequired("body"); err != nil {
		panic(err)
	}
	return cmd
}

// readBody reads a body, and no more than can be one. It gives up when ctx ends,
// though r has nothing to give.
func readBody(ctx context.Context, r io.Reader) ([]byte, error) {
	type read struct {
		text []byte
		err  error
	}
	done := make(chan read, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(r, jobfile.MaxElement+1))
		done <- read{text, err}
	}()
	select {
	case got := <-done:
		if got.err == nil && len(got.text) > jobfile.MaxElement {
			return nil, fmt.Errorf("%w: body is longer than %d bytes", jobstore.ErrInvalid, jobfile.MaxElement)
		}
		return got.text, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
