package httpapi

import (
	"hash/maphash"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/jobstore/jobstore"
)

// A buffer holds a body in the making. Buffers are pooled.
type buffer struct{ b []byte }

func (b *buffer) Write(p []byte) (int, error) {
	b.b = append(b.b, p...)
	return len(p), nil
}

// largestPooled is the size in bytes above which a buffer is left to the garbage
// collector, so that one large job does not keep its memory for ever.
const largestPooled = 256 << 10

var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, 16<<10)} }}

func newBuffer() *buffer { return buffers.Get().(*buffer) }

func (b *buffer) free() {
	if cap(b.b) <= largestPooled {
		b.b = b.b[:0]
		buffers.Put(b)
	}
}

// jobsBody is a body of jobs: an array of them, or one alone.
type jobsBody struct {
	jobs  []jobstore.Job
	array bool
}

// sizeOf returns the most bytes that a job has as JSON. A byte of text takes six
// at most there; raw JSON stands as it is.
func sizeOf(j *jobstore.Job) int64 {
	raw := len(j.Options) + len(j.Metadata) + len(j.Error) + len(j.Tasks)
	return int64(raw + 6*(len(j.Input)+len(j.Output)) + len(j.ID) + 512)
}

// size returns the most bytes of the body, and of the largest job in it.
func (b *jobsBody) size() (all, largest int64) {
	for i := range b.jobs {
		n := sizeOf(&b.jobs[i])
		all, largest = all+n, max(largest, n)
	}
	return all + 2, largest
}

// need returns how many bytes the jobs and their body take until they are sent.
func (b *jobsBody) need() int64 {
	all, largest := b.size()
	if all <= largestPooled {
		return 2 * all
	}
	return all + largest + memoryOfPacker
}

// appendPiece appends the JSON of job i, and what stands around it.
func (b *jobsBody) appendPiece(dst []byte, i int) []byte {
	if b.array {
		dst = append(dst, "[,"[min(i, 1)])
	}
	dst = b.jobs[i].AppendJSON(dst)
	if b.array && i == len(b.jobs)-1 {
		dst = append(dst, ']')
	}
	return dst
}

// replyJobs sends jobs. A body of some length is made twice, first for its tag and
// its length, then job by job as it is sent: so it is never in memory as a whole.
func (w *response) replyJobs(status int, b *jobsBody) {
	body := newBuffer()
	defer body.free()
	all, largest := b.size()
	if len(b.jobs) == 0 || all <= largestPooled {
		if len(b.jobs) == 0 {
			body.b = append(body.b, "[]"...)
		}
		for i := range b.jobs {
			body.b = b.appendPiece(body.b, i)
		}
		w.reply(status, body)
		return
	}
	body.b = make([]byte, 0, largest+2)
	var hash maphash.Hash
	hash.SetSeed(w.api.hashSeed)
	length := 0
	for i := range b.jobs {
		body.b = b.appendPiece(body.b[:0], i)
		_, _ = hash.Write(body.b)
		length += len(body.b)
	}
	if w.unchanged(&hash) {
		return
	}
	packed := acceptsGzip(w.request.Header["Accept-Encoding"])
	if packed {
		w.Header().Set("Content-Encoding", "gzip")
	} else {
		w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	w.begin(status)
	if w.request.Method == http.MethodHead {
		return
	}
	defer w.hurryOnStop(w.control().SetWriteDeadline)()
	var to io.Writer = w
	if packed {
		packer := packers.Get().(*gzip.Writer)
		packer.Reset(w)
		defer func() {
			packer.Reset(nil)
			packers.Put(packer)
		}()
		to = packer
	}
	for i := range b.jobs {
		body.b = b.appendPiece(body.b[:0], i)
		if _, err := to.Write(body.b); err != nil {
			return
		}
	}
	if packer, ok := to.(*gzip.Writer); ok {
		_ = packer.Close()
	}
}

// reply sends body, which describes what is in the store.
func (w *response) reply(status int, body *buffer) {
	var hash maphash.Hash
	hash.SetSeed(w.api.hashSeed)
	_, _ = hash.Write(body.b)
	if w.unchanged(&hash) {
		return
	}
	if packed := w.pack(body); packed != nil {
		defer packed.free()
		w.Header().Set("Content-Encoding", "gzip")
		body = packed
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body.b)))
	w.begin(status)
	if w.request.Method != http.MethodHead {
		_, _ = w.Write(body.b)
	}
}

// unchanged sets the headers of a representation whose body has this hash. If a GET
// has it already, it gets 304 without a body, and unchanged returns true.
//
// The tag covers the Link header, because a page can stay while what lies around
// it does not. It is weak as it stands for the body packed and unpacked.
func (w *response) unchanged(hash *maphash.Hash) bool {
	header := w.Header()
	header.Set("Cache-Control", "private, no-cache")
	header.Add("Vary", "Accept-Encoding") // a middleware may have said Origin
	if w.request.Method != http.MethodGet && w.request.Method != http.MethodHead {
		return false
	}
	_, _ = hash.WriteString(header.Get("Link"))
	tag := append(make([]byte, 0, 24), `W/"`...)
	tag = strconv.AppendUint(tag, hash.Sum64(), 36)
	tag = append(tag, '"')
	header.Set("ETag", string(tag))
	if !matchesTag(w.request.Header["If-None-Match"], string(tag)) {
		return false
	}
	w.sendEmpty(http.StatusNotModified)
	return true
}
