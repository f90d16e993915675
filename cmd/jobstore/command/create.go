package command

import (
	"bytes"
	"fmt"
	"io"
	"strings"

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
http://, https:// or s3://) and kind must be there; options, output and metadata
may be. The job is queued and gets a new ID.`,
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
				if text, err = readBody(cmd.InOrStdin()); err != nil {
					return err
				}
			}
			job, err := parseBody(text)
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

// readBody reads a body, and no more than can be one.
func readBody(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, jobfile.MaxElement+1))
	if err == nil && len(text) > jobfile.MaxElement {
		err = fmt.Errorf("%w: body is longer than %d bytes", jobstore.ErrInvalid, jobfile.MaxElement)
	}
	return text, err
}

// The fields of a body, of which the API documents no others.
var bodyFields = []string{"input", "kind", "options", "output", "metadata"}

func parseBody(text []byte) (*jobstore.Job, error) {
	job, err := jobfile.Parse(bytes.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	if unknown := jobfile.UnknownFields(text, bodyFields); len(unknown) > 0 {
		return nil, &jobstore.FieldError{
			Field:  unknown[0],
			Reason: "cannot be given: a body has " + strings.Join(bodyFields, ", "),
		}
	}
	if !hasScheme(job.Input) {
		return nil, &jobstore.FieldError{
			Field: "input", Value: job.Input, Reason: "must use http://, https://, or s3:// scheme",
		}
	}
	return job, nil
}

func hasScheme(input string) bool {
	for _, scheme := range []string{"http://", "https://", "s3://"} {
		if strings.HasPrefix(input, scheme) {
			return true
		}
	}
	return false
}
