package metrics

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestServe(t *testing.T) {
	var sick error
	m := New(Gauges{
		LagRecords: func() float64 { return 7 },
		Sessions:   func() map[string]int { return map[string]int{"mx": 3} },
		Workers:    func() (reading, idle, lost, known, read, kept float64) { return 1, 2, 3, 4, 5, 6 },
	})
	m.Replied("mx", 250, "2.0.0")
	m.Judged("mx", "in", "RAHSIA", "reject")
	m.Filtered("virus", "error-accepted", time.Second)
	m.Attempted("delivered", "bulk")
	m.Authenticated("dmarc", "pass")
	m.Relayed("accepted", 5)
	m.Alarmed("rahsia")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error)
	go func() { over <- m.Serve(ctx, ln, func() error { return sick }) }()
	get := func(path string) (int, string) {
		t.Helper()
		res, err := http.Get("http://" + ln.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	_, text := get("/metrics")
	for _, want := range []string{
		`sampul_smtp_replies_total{code="250",enhanced="2.0.0",listener="mx"} 1`,
		`sampul_verdicts_total{action="reject",class="RAHSIA",direction="in",listener="mx"} 1`,
		`sampul_filter_results_total{filter="virus",result="error-accepted"} 1`,
		`sampul_delivery_outcomes_total{lane="bulk",outcome="delivered"} 1`,
		`sampul_authentication_results_total{method="dmarc",result="pass"} 1`,
		`sampul_document_workers{state="reading"} 1`, `sampul_document_workers{state="idle"} 2`, "sampul_document_workers_lost_total 3",
		`sampul_inspections_total{known="yes"} 4`, `sampul_inspections_total{known="no"} 5`, "sampul_inspections_kept_octets 6",
		`sampul_relay_recipients_total{result="accepted"} 5`, `sampul_relay_alarms_total{rule="rahsia"} 1`,
		"sampul_lag_records 7", `sampul_sessions{listener="mx"} 3`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if code, _ := get("/healthz"); code != 200 {
		t.Errorf("healthy: %d", code)
	}
	sick = errors.New("disk space is below the reserve")
	if code, text := get("/healthz"); code != 503 || !strings.Contains(text, "reserve") {
		t.Errorf("sick: %d %s", code, text)
	}
	cancel()
	if err := <-over; err != nil {
		t.Error(err)
	}
}
