//go:build generated

// The cases with the client that oapi-codegen makes of the description.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"

	"example.com/cases/api"
)

func say(name string, rest ...any) {
	line := name
	for _, x := range rest {
		text, ok := x.(string)
		if !ok {
			b, _ := json.Marshal(x)
			text = string(b)
		}
		line += " " + text
	}
	fmt.Println(line)
}

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return v
}

func as(token string) api.RequestEditorFn {
	return func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
}

func main() {
	ctx := context.Background()
	c := must(api.NewClientWithResponses(os.Getenv("BASE"), api.WithRequestEditorFn(as(os.Getenv("TOKEN")))))
	input := "https://example.com/a.mp4?é"
	options := map[string]any{"a": []any{1, nil, "é"}}
	job := api.NewJob{Kind: api.Video, Input: input, Options: &options}
	key := "one"

	made := must(c.CreateJobWithResponse(ctx, &api.CreateJobParams{IdempotencyKey: &key}, job))
	id := made.JSON201.Id
	say("create", made.StatusCode(), string(made.JSON201.Status), string(made.JSON201.Kind), made.JSON201.Options, made.JSON201.Tasks)
	again := must(c.CreateJobWithResponse(ctx, &api.CreateJobParams{IdempotencyKey: &key}, job))
	say("again", again.StatusCode(), word(again.JSON200.Id == id))
	conflict := must(c.CreateJobWithResponse(ctx, &api.CreateJobParams{IdempotencyKey: &key}, api.NewJob{Kind: api.Image, Input: input}))
	say("conflict", conflict.StatusCode(), string(conflict.JSON409.Kind))
	scheme := must(c.CreateJobWithResponse(ctx, nil, api.NewJob{Kind: api.Video, Input: "ftp://a/b"}))
	say("unknown scheme", scheme.StatusCode(), string(scheme.JSON400.Kind))
	got := must(c.GetJobWithResponse(ctx, id, nil))
	say("get", got.StatusCode(), word(reflect.DeepEqual(got.JSON200, made.JSON201)))
	tag := got.HTTPResponse.Header.Get("ETag")
	say("not modified", must(c.GetJobWithResponse(ctx, id, &api.GetJobParams{IfNoneMatch: &tag})).StatusCode())
	status, tasks := api.Processing, []any{map[string]any{"object": "task"}}
	processing := must(c.UpdateJobWithResponse(ctx, id, nil, api.Report{Status: &status, Tasks: &tasks}))
	say("processing", processing.StatusCode(), string(processing.JSON200.Status), len(processing.JSON200.Tasks))
	status = api.Failed
	failed := must(c.UpdateJobWithResponse(ctx, id, nil, api.Report{Status: &status, Error: map[string]any{"code": 7}}))
	say("failed", failed.StatusCode(), string(failed.JSON200.Status), failed.JSON200.Error)
	text := must(c.UpdateJobWithResponse(ctx, id, nil, api.Report{Error: "text"}))
	say("any error", text.StatusCode(), `"`+text.JSON200.Error.(string)+`"`)
	none := must(c.UpdateJobWithBodyWithResponse(ctx, id, nil, "application/json", strings.NewReader(`{"error":null,"tasks":null}`)))
	say("no error", none.StatusCode(), none.JSON200.Error, len(none.JSON200.Tasks))
	second := must(c.CreateJobWithResponse(ctx, nil, api.NewJob{Kind: api.Audio, Input: "s3://a/b"}))
	say("second", second.StatusCode(), string(second.JSON201.Kind))

	list := func(p api.ListJobsParams) *api.ListJobsResponse { return must(c.ListJobsWithResponse(ctx, &p)) }
	one, most := 1, 101
	first := list(api.ListJobsParams{Limit: &one})
	say("list", first.StatusCode(), len(*first.JSON200), first.HTTPResponse.Header.Get("Has-More"))
	next := list(api.ListJobsParams{Limit: &one, After: &(*first.JSON200)[0].Id})
	say("next", next.StatusCode(), len(*next.JSON200), next.HTTPResponse.Header.Get("Has-More"))
	kinds := list(api.ListJobsParams{Kind: &[]api.Kind{api.Video, api.Audio}})
	say("two kinds", kinds.StatusCode(), len(*kinds.JSON200))
	same := list(api.ListJobsParams{Input: &input})
	say("by input", same.StatusCode(), len(*same.JSON200))
	sum := sha256.Sum256([]byte(input))
	hash := hex.EncodeToString(sum[:])
	summed := list(api.ListJobsParams{InputSha256: &hash})
	say("by sum", summed.StatusCode(), len(*summed.JSON200))
	empty := list(api.ListJobsParams{Status: &[]api.Status{api.Cancelled}})
	say("none", empty.StatusCode(), len(*empty.JSON200))
	limit := list(api.ListJobsParams{Limit: &most})
	say("bad limit", limit.StatusCode(), string(limit.JSON400.Kind))
	missing := must(c.GetJobWithResponse(ctx, "job_missing", nil))
	say("missing", missing.StatusCode(), string(missing.JSON404.Kind))
	stranger := must(c.ListJobsWithResponse(ctx, nil, as("wrong")))
	say("bad token", stranger.StatusCode(), string(stranger.JSON401.Kind))
	say("delete", must(c.DeleteJobWithResponse(ctx, id, nil)).StatusCode())
	gone := must(c.GetJobWithResponse(ctx, id, nil))
	say("deleted", gone.StatusCode(), string(gone.JSON404.Kind))
}

func word(same bool) string {
	if same {
		return "same"
	}
	return "another"
}
