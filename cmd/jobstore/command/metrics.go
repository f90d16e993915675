package command

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/jobstore/jobstore"
)

// metrics are what /metrics tells of a server and its store.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec

	commitSeconds, commitJobs  prometheus.Histogram
	commitFailures             prometheus.Counter
	pageExamined, pageReturned prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobstore_http_requests_total",
			Help: "Requests answered, by the pattern of their path and the status.",
		}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "jobstore_http_request_duration_seconds",
			Help:    "Time from a request's header to the end of its response.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 2, 18), // 50 µs to 6.5 s
		}, []string{"route"}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "jobstore_commit_duration_seconds",
			Help:    "Time of a commit, the syncs of the disk included.",
			Buckets: prometheus.ExponentialBuckets(100e-6, 2, 16), // 100 µs to 3.3 s
		}),
		commitJobs: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "jobstore_commit_jobs",
			Help:    "Jobs written by a commit: the size of its batch.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 13), // 1 to 4,096
		}),
		commitFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jobstore_commit_failures_total",
			Help: "Commits that failed.",
		}),
		pageExamined: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "jobstore_page_examined_keys",
			Help:    "Keys that were examined for a page, which is at most 1 + 2 for each branch more than it returned.",
			Buckets: pageBuckets,
		}),
		pageReturned: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "jobstore_page_returned_jobs",
			Help:    "Jobs in a page.",
			Buckets: pageBuckets,
		}),
	}
	m.registry.MustRegister(
		m.requests, m.seconds, m.commitSeconds, m.commitJobs, m.commitFailures, m.pageExamined, m.pageReturned,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// pageBuckets divide the sizes of pages, of 100 jobs and 25 branches at most.
var pageBuckets = []float64{0, 1, 5, 10, 20, 21, 25, 30, 50, 75, 101, 125, 151}

// hook makes a store that is opened with o report to m.
func (m *metrics) hook(o *jobstore.Options) {
	o.OnCommit = func(c jobstore.Commit) {
		m.commitSeconds.Observe(c.Duration.Seconds())
		m.commitJobs.Observe(float64(c.Jobs))
		if c.Err != nil {
			m.commitFailures.Inc()
		}
	}
	o.OnPage = func(p jobstore.Plan) {
		m.pageExamined.Observe(float64(p.Examined))
		m.pageReturned.Observe(float64(p.Returned))
	}
}

// watch adds the figures of store.
func (m *metrics) watch(store *heldStore) {
	m.registry.MustRegister(&storeCollector{store})
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// observe counts and times the requests to h, which sets Request.Pattern.
func (m *metrics) observe(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, seen := time.Now(), &statusWriter{ResponseWriter: w}
		defer func() {
			m.requests.WithLabelValues(r.Pattern, strconv.Itoa(seen.status)).Inc()
			m.seconds.WithLabelValues(r.Pattern).Observe(time.Since(start).Seconds())
		}()
		h.ServeHTTP(seen, r)
	})
}

// A statusWriter remembers the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.MaxBytesReader and http.ResponseController what is below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A storeCollector reads the figures of a store whenever they are asked for,
// which takes no walk through it.
type storeCollector struct{ store *heldStore }

var (
	usable = prometheus.NewDesc("jobstore_usable",
		"Whether the store can be read and its file is where it was: 1 or 0, as /healthz says.", nil, nil)
	jobsByKind = prometheus.NewDesc("jobstore_jobs_by_kind",
		"Jobs in the store, by kind.", []string{"kind"}, nil)
	jobsByStatus = prometheus.NewDesc("jobstore_jobs_by_status",
		"Jobs in the store, by status.", []string{"status"}, nil)
	fileBytes = prometheus.NewDesc("jobstore_file_bytes",
		"Length of the store's file.", nil, nil)
	freeBytes = prometheus.NewDesc("jobstore_free_bytes",
		"Part of the file that holds nothing and will be written before the file grows.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *storeCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{usable, jobsByKind, jobsByStatus, fileBytes, freeBytes} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *storeCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
	}
	if err := c.store.check(context.Background()); err != nil {
		gauge(usable, 0)
	} else {
		gauge(usable, 1)
	}
	stats, err := c.store.Stats(context.Background())
	if err != nil {
		return // usable says so, and the other metrics are still told
	}
	for _, kind := range kinds {
		gauge(jobsByKind, stats.ByKind[kind], kind.String())
	}
	for _, status := range statuses {
		gauge(jobsByStatus, stats.ByStatus[status], status.String())
	}
	gauge(fileBytes, stats.FileBytes)
	gauge(freeBytes, stats.FreeBytes)
}
