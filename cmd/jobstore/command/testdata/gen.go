//go:build ignore

// This program writes jobs.ndjson to standard output: jobs of every kind and
// status as a service has them, and then every odd shape that one may have. With
// the argument examples it leaves out the odd ones.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/jobstoretest/dataset"
)

//go:generate sh -c "go run gen.go > jobs.ndjson"
//go:generate sh -c "go run gen.go examples > ../../../../examples/jobs.ndjson"

func main() {
	out := bufio.NewWriter(os.Stdout)
	usual(out)
	if len(os.Args) > 1 && os.Args[1] == "examples" {
		fmt.Fprintln(out, documented)
	} else {
		odd(out)
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// usual writes the first ten jobs of every kind and status, every third of them
// with tasks.
func usual(out *bufio.Writer) {
	type pair struct {
		kind   jobstore.Kind
		status jobstore.Status
	}
	taken := map[pair]int{}
	for job := range dataset.Realistic(2026, 400_000) {
		p := pair{job.Kind, job.Status}
		if taken[p] == 10 {
			continue
		}
		if taken[p]%3 == 2 {
			job.Tasks = tasks(job)
		}
		taken[p]++
		out.Write(append(job.AppendJSON(nil), '\n'))
	}
}

// tasks returns one task that does all of job.
func tasks(job *jobstore.Job) []byte {
	progress, failure := "null", "null"
	switch job.Status {
	case jobstore.StatusProcessing:
		progress = "40"
	case jobstore.StatusSucceeded:
		progress = "100"
	case jobstore.StatusFailed:
		failure = string(job.Error)
	}
	times := job.AppendJSON(nil)
	times = times[strings.Index(string(times), `"created_at"`):] // up to the end of the object
	return fmt.Appendf(nil, `[{"id":"task_%s","object":"task","kind":%q,"input":{"url":%q},"options":%s,"output":null,"status":%q,"progress":%s,"error":%s,%s]`,
		job.ID[len("job_"):], job.Kind, job.Input, job.Options, job.Status, progress, failure, times)
}

// odd writes jobs that are valid and unusual, one thing a job.
func odd(out *bufio.Writer) {
	fmt.Fprintln(out, documented)
	for _, fields := range append(idShapes(), shapes...) {
		fmt.Fprintln(out, "{"+fields+"}")
	}
	long := func(n int) string {
		const start = "https://example.com/a-long-signed-url?signature="
		return start + strings.Repeat("0123456789abcdef", n/16+1)[:n-len(start)]
	}
	fmt.Fprintf(out, `{"id":"job_long_input","kind":"video","status":"queued","input":%q}`+"\n", long(jobstore.MaxInput))
	fmt.Fprintf(out, `{"id":"job_long_output","kind":"video","status":"succeeded","input":"s3://b/k","output":%q}`+"\n", long(jobstore.MaxOutput-1))
	fmt.Fprintf(out, `{"id":"job_long_escaped","kind":"video","status":"queued","input":"https://example.com/%s"}`+"\n", strings.Repeat(`\u00e9`, 4000))
	fmt.Fprintf(out, `{"id":"job_deep","kind":"image","status":"queued","input":"s3://b/k","options":%s1%s}`+"\n",
		strings.Repeat(`{"then":[`, 60), strings.Repeat("]}", 60))
	fmt.Fprintf(out, `{"id":"job_many_tags","kind":"image","status":"queued","input":"s3://b/k","metadata":{"tags":["0"%s]}}`+"\n",
		strings.Repeat(`,"tag"`, 800))
}

const documented = `{"id":"job_abc123","object":"job","kind":"video","input":"https://example.com/video.mp4","output":"https://store.ittybit.net/org_123/video.mp4","options":{ "format": "mp4", "quality": "high" },"metadata":{},"status":"succeeded","error":null,"created_at":1711900000000,"started_at":1711900001000,"finished_at":1711900045000,"updated_at":1711900045000}`

// idShapes returns jobs whose IDs are no TypeIDs. Some are the start of others.
func idShapes() []string {
	var list []string
	for _, suffix := range []string{
		"0", "a", "ab", "abc", "abc12", "abc123-", "abc123_", "ABC123", "Z", "z", "-", "_", "a-b_c",
		"01h455vb4pex5vsknk084sn02", "01H455VB4PEX5VSKNK084SN02Q",
		strings.Repeat("z", 64), strings.Repeat("0", 64),
	} {
		list = append(list, fmt.Sprintf(`"id":"job_%s","kind":"audio","status":"cancelled","input":"s3://ids/shared.wav"`, suffix))
	}
	return list
}

var shapes = []string{
	// Text.
	`"id":"job_text_unicode","kind":"video","status":"succeeded","input":"https://例え.テスト/動画/映画 🎬.mp4","output":"s3://bücket/ﬁlm/naïve é.mp4"`,
	`"id":"job_text_escaped","kind":"video","status":"succeeded","input":"https:\/\/\u4f8b\u3048.\u30c6\u30b9\u30c8\/\ud83c\udfac.mp4"`,
	`"id":"job_text_rtl","kind":"audio","status":"queued","input":"https://example.com/שלום/مرحبا.mp3"`,
	`"id":"job_text_marks","kind":"image","status":"queued","input":"https://example.com/\"quoted\"\\back<b>&amp;'\u0001\u007f\t.png"`,
	`"id":"job_text_breaks","kind":"image","status":"queued","input":"https://example.com/line\nbreak\r\n\u2028\u2029\u0085.png"`,
	`"id":"job_text_zero","kind":"image","status":"queued","input":"https://example.com/\u0000.png"`,
	`"id":"job_text_replaced","kind":"image","status":"queued","input":"https://example.com/�.png"`,
	`"id":"job_text_percent","kind":"image","status":"queued","input":"https://example.com/%F0%9F%8E%AC%20a+b.png?x=1&y=%26#frag"`,
	`"id":"job_text_plain","kind":"image","status":"queued","input":"not a URL at all"`,
	`"id":"job_text_space","kind":"image","status":"queued","input":" "`,
	`"id":"job_text_case","kind":"image","status":"queued","input":"HTTPS://EXAMPLE.COM/Video.MP4"`,
	// Nothing.
	`"id":"job_null_all","kind":"video","status":"queued","input":"s3://b/k","output":null,"options":null,"metadata":null,"error":null,"tasks":null,"created_at":null,"started_at":null,"finished_at":null,"updated_at":null`,
	`"id":"job_null_absent","kind":"video","status":"queued","input":"s3://b/k"`,
	`"id":"job_null_output","kind":"video","status":"queued","input":"s3://b/k","output":""`,
	`"id":"job_null_tasks","kind":"video","status":"queued","input":"s3://b/k","tasks":[]`,
	// Order, and the field that says what it is.
	`"tasks":[{"id":"task_1"}],"updated_at":5,"created_at":4,"status":"failed","error":"late","kind":"animation","input":"s3://b/k","id":"job_order"`,
	// Objects.
	`"id":"job_json_numbers","kind":"video","status":"queued","input":"s3://b/k","options":{"big":12345678901234567890,"huge":1e400,"tiny":1E-400,"zero":-0,"one":1.0,"tenth":0.10}`,
	`"id":"job_json_spaces","kind":"video","status":"queued","input":"s3://b/k","options": { "a" :	[ 1 ,2 ] , "b":{ } },"metadata":  {  }  `,
	`"id":"job_json_twice","kind":"video","status":"queued","input":"s3://b/k","metadata":{"a":1,"a":2,"":""}`,
	`"id":"job_json_names","kind":"video","status":"queued","input":"s3://b/k","metadata":{"id":"job_other","kind":"none","status":7,"\u0000":"\u0000","emoji 🎬":"\ud83c\udfac","whole":"\ud800\udc00"}`,
	`"id":"job_json_values","kind":"video","status":"queued","input":"s3://b/k","metadata":{"null":null,"true":true,"false":false,"list":[[],[[]],{}],"text":"\b\f\n\r\t\"\\\/"}`,
	// Errors.
	`"id":"job_error_text","kind":"video","status":"failed","input":"s3://b/k","error":"the input answered 404"`,
	`"id":"job_error_empty","kind":"video","status":"failed","input":"s3://b/k","error":""`,
	`"id":"job_error_object","kind":"video","status":"failed","input":"s3://b/k","error":{"kind":"invalid_input","message":"no such file","causes":[{"message":"404"}]}`,
	`"id":"job_error_list","kind":"video","status":"failed","input":"s3://b/k","error":["first","second"]`,
	`"id":"job_error_number","kind":"video","status":"failed","input":"s3://b/k","error":-7`,
	`"id":"job_error_false","kind":"video","status":"failed","input":"s3://b/k","error":false`,
	`"id":"job_error_of_success","kind":"video","status":"succeeded","input":"s3://b/k","error":{"warning":"2 frames dropped"}`,
	// Times.
	`"id":"job_time_epoch","kind":"audio","status":"succeeded","input":"s3://b/k","created_at":0,"started_at":1,"finished_at":2,"updated_at":3`,
	`"id":"job_time_before","kind":"audio","status":"succeeded","input":"s3://b/k","created_at":-1,"started_at":-62135596799999`,
	`"id":"job_time_far","kind":"audio","status":"succeeded","input":"s3://b/k","created_at":253402300799999`,
	`"id":"job_time_backwards","kind":"audio","status":"succeeded","input":"s3://b/k","created_at":1711900045000,"started_at":1711900001000,"finished_at":1711900000000,"updated_at":1`,
	// Many tasks.
	`"id":"job_tasks","kind":"adaptive_video","status":"processing","input":"s3://b/k","tasks":[{"id":"task_1","object":"task","kind":"video","input":{"url":"s3://b/k"},"options":{"height":1080},"output":"s3://b/1080.mp4","status":"succeeded","progress":100,"error":null,"created_at":1,"started_at":2,"finished_at":3,"updated_at":3},{"id":"task_2","object":"task","kind":"video","input":{"url":"s3://b/k"},"options":{"height":720},"output":null,"status":"processing","progress":12,"error":null,"created_at":1,"started_at":2,"finished_at":null,"updated_at":4},{"id":"task_3","object":"task","kind":"video","input":{"task":"task_1"},"options":{},"output":null,"status":"queued","progress":null,"error":null,"created_at":1,"started_at":null,"finished_at":null,"updated_at":1}]`,
}
