// Package metrics counts, for Prometheus, and answers /metrics and /healthz.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the suite's numbers.
type Metrics struct {
	registry *prometheus.Registry
	replies  *prometheus.CounterVec
	verdicts *prometheus.CounterVec
	filters  *prometheus.CounterVec
	asked    *prometheus.HistogramVec
	outcomes *prometheus.CounterVec
	results  *prometheus.CounterVec
	relayed  *prometheus.CounterVec
	alarms   *prometheus.CounterVec
}

// Gauges are read whenever somebody asks.
type Gauges struct {
	LagRecords, LagOctets, LagSeconds func() float64
	Queue                             func() float64
	Sessions                          func() map[string]int // by kind of listener
	Workers                           func() (reading, idle, lost, known, read, kept float64)
}

// New makes the registry.
func New(g Gauges) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		replies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sampul_smtp_replies_total", Help: "Replies to SMTP clients, by listener and code.",
		}, []string{"listener", "code", "enhanced"}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sampul_verdicts_total", Help: "Verdicts of the policy engine.",
		}, []string{"listener", "direction", "class", "action"}),
		filters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sampul_filter_results_total", Help: "What filters answered; error when the message had to wait for one that could not be asked, error-accepted when it went on.",
		}, []string{"filter", "result"}),
		asked: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sampul_filter_seconds", Help: "How long filters took.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}, []string{"filter"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sampul_delivery_outcomes_total", Help: "What became of recipients in the queue, an attempt each.",
		}, []string{"outcome", "lane"}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sampul_authentication_results_total", Help: "Findings for mail from outside.",
		}, []string{"method", "result"}),
	}
	m.relayed = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sampul_relay_recipients_total", Help: "Recipients of applications: accepted, refused, delivered, bounced.",
	}, []string{"result"})
	m.alarms = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sampul_relay_alarms_total", Help: "What rules found amiss with applications: volume, rahsia.",
	}, []string{"rule"})
	gauge := func(name, help string, f func() float64) {
		if f != nil {
			m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
		}
	}
	gauge("sampul_lag_records", "Accepted records that are not filed yet.", g.LagRecords)
	gauge("sampul_lag_octets", "Octets of accepted records that are not filed yet.", g.LagOctets)
	gauge("sampul_lag_seconds", "Age of the oldest accepted record that is not filed yet.", g.LagSeconds)
	gauge("sampul_queue_messages", "Messages that wait for recipients elsewhere.", g.Queue)
	m.registry.MustRegister(m.replies, m.verdicts, m.filters, m.asked, m.outcomes, m.results, m.relayed, m.alarms, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if g.Workers != nil {
		m.registry.MustRegister(workers{g.Workers})
	}
	if g.Sessions != nil {
		m.registry.MustRegister(sessions{g.Sessions})
	}
	return m
}

var (
	workersDesc = prometheus.NewDesc("sampul_document_workers", "Processes that read documents.", []string{"state"}, nil)
	lostDesc    = prometheus.NewDesc("sampul_document_workers_lost_total", "Processes that ended while they read a document.", nil, nil)
	reportsDesc = prometheus.NewDesc("sampul_inspections_total", "Messages with documents, and documents, that were looked through, or known from before.", []string{"known"}, nil)
	keptDesc    = prometheus.NewDesc("sampul_inspections_kept_octets", "Memory of what was found before.", nil, nil)
)

// workers are those that read documents, and what is known of documents.
type workers struct {
	now func() (reading, idle, lost, known, read, kept float64)
}

func (w workers) Describe(c chan<- *prometheus.Desc) {
	c <- workersDesc
	c <- lostDesc
	c <- reportsDesc
	c <- keptDesc
}

func (w workers) Collect(c chan<- prometheus.Metric) {
	reading, idle, lost, known, read, kept := w.now()
	c <- prometheus.MustNewConstMetric(workersDesc, prometheus.GaugeValue, reading, "reading")
	c <- prometheus.MustNewConstMetric(workersDesc, prometheus.GaugeValue, idle, "idle")
	c <- prometheus.MustNewConstMetric(lostDesc, prometheus.CounterValue, lost)
	c <- prometheus.MustNewConstMetric(reportsDesc, prometheus.CounterValue, known, "yes")
	c <- prometheus.MustNewConstMetric(reportsDesc, prometheus.CounterValue, read, "no")
	c <- prometheus.MustNewConstMetric(keptDesc, prometheus.GaugeValue, kept)
}

var sessionsDesc = prometheus.NewDesc("sampul_sessions", "Connections now, by kind of listener.", []string{"listener"}, nil)

type sessions struct{ now func() map[string]int }

func (s sessions) Describe(c chan<- *prometheus.Desc) { c <- sessionsDesc }

func (s sessions) Collect(c chan<- prometheus.Metric) {
	for kind, n := range s.now() {
		c <- prometheus.MustNewConstMetric(sessionsDesc, prometheus.GaugeValue, float64(n), kind)
	}
}

// Replied counts an SMTP reply.
func (m *Metrics) Replied(listener string, code int, enhanced string) {
	m.replies.WithLabelValues(listener, strconv.Itoa(code), enhanced).Inc()
}

// Judged counts a verdict.
func (m *Metrics) Judged(listener, direction, class, action string) {
	m.verdicts.WithLabelValues(listener, direction, class, action).Inc()
}

// Filtered counts an answer of a filter, or that there was none.
func (m *Metrics) Filtered(filter, result string, took time.Duration) {
	m.filters.WithLabelValues(filter, result).Inc()
	m.asked.WithLabelValues(filter).Observe(took.Seconds())
}

// Attempted counts what became of a recipient: delivered, deferred, bounced, expired.
func (m *Metrics) Attempted(outcome, lane string) { m.outcomes.WithLabelValues(outcome, lane).Inc() }

// Authenticated counts a finding: spf, dkim, dmarc or arc, with RFC 8601's word.
func (m *Metrics) Authenticated(method, result string) {
	m.results.WithLabelValues(method, result).Inc()
}

// Relayed counts recipients of applications: accepted, refused, delivered, bounced.
func (m *Metrics) Relayed(result string, recipients int) {
	m.relayed.WithLabelValues(result).Add(float64(recipients))
}

// Alarmed counts that a rule found something amiss with an application: volume, rahsia.
func (m *Metrics) Alarmed(rule string) { m.alarms.WithLabelValues(rule).Inc() }

// Serve answers until ctx is over: /metrics, and /healthz, which is 503 with a sentence
// when healthy gives an error.
func (m *Metrics) Serve(ctx context.Context, ln net.Listener, healthy func() error) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if err := healthy(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
