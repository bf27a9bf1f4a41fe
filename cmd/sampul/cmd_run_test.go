package main

import (
	"fmt"
	"strings"
	"testing"

	"sampul/store"
)

// tagged sends one message of a run.
func (r *running) tagged(tag, to string) {
	r.t.Helper()
	c := r.app()
	defer c.Close()
	if err := c.Mail(r.Application.Address, nil); err != nil {
		r.t.Fatal(err)
	}
	if err := c.Rcpt(to, nil); err != nil {
		r.t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		r.t.Fatal(err)
	}
	fmt.Fprintf(w, "X-Sampul-Run: %s\r\n%s", tag, note(r.Application.Address, to, "Notis"))
	if err := w.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// A run is counted, paused over kill -9, resumed and dropped; what is paused reaches no
// mailbox here either.
func TestRuns(t *testing.T) {
	dir := t.TempDir()
	const to = "pegawai1@agensi-a.test"
	r := startDemo(t, "--dir", dir)
	run := func(want store.Run) {
		t.Helper()
		want.App, want.Agency = r.app0(), "agensi-a"
		got := store.Run{}
		eventually(t, fmt.Sprintf("run %+v", want), func() bool {
			got = store.Run{}
			for _, l := range lines[store.Run](r, "run", "list", "--json") {
				if l.Tag == want.Tag {
					got = l
				}
			}
			return got.State == want.State && got.Accepted == want.Accepted && got.Waiting == want.Waiting &&
				got.Delivered == want.Delivered && got.Dropped == want.Dropped && got.App == want.App
		})
	}
	r.tagged("mac-2026", to)
	r.tagged("mac-2026", "orang@jauh.test")
	run(store.Run{Tag: "mac-2026", State: store.RunActive, Accepted: 2, Waiting: 1, Delivered: 1})
	r.do("run", "pause", "mac-2026", "--reason", "salah teks")
	r.tagged("mac-2026", to)
	r.tagged("lain", to)
	eventually(t, "the other run's", func() bool { return r.count(to, "INBOX") == 2 })
	run(store.Run{Tag: "mac-2026", State: store.RunPaused, Accepted: 3, Waiting: 2, Delivered: 1})
	r.kill()

	r = startDemo(t, "--dir", dir)
	run(store.Run{Tag: "mac-2026", State: store.RunPaused, Accepted: 3, Waiting: 2, Delivered: 1})
	r.tagged("mac-2026", to)
	if n := len(lines[queueLine](r, "queue", "list", "--run", "mac-2026", "--state", "held", "--json")); n != 3 {
		t.Errorf("%d held", n)
	}
	if n := r.count(to, "INBOX"); n != 2 {
		t.Errorf("%d in the mailbox while the run is paused", n)
	}
	r.do("run", "resume", "mac-2026")
	eventually(t, "what was paused", func() bool { return r.count(to, "INBOX") == 4 })
	run(store.Run{Tag: "mac-2026", State: store.RunActive, Accepted: 4, Waiting: 1, Delivered: 3})
	r.terminate()

	if out, bad, exit := sampul(t, "", "run", "drop", "mac-2026", "--reason", "tak perlu", "--dir", dir); exit != 0 || !strings.Contains(out, "1 messages taken away") {
		t.Fatalf("stopped: exit %d: %s%s", exit, out, bad)
	}
	out, _, exit := sampul(t, "", "run", "show", "mac-2026", "--dir", dir)
	if exit != 0 || !strings.Contains(out, "dropped:      1") || !strings.Contains(out, "tak perlu") {
		t.Errorf("exit %d: %s", exit, out)
	}
	for _, bad := range [][]string{{"show", "tiada"}, {"pause", "tiada"}, {"list", "--app", "tiada@agensi-a.test"}} {
		if _, text, exit := sampul(t, "", append([]string{"run", "--dir", dir}, bad...)...); exit != 3 {
			t.Errorf("%v: exit %d: %s", bad, exit, text)
		}
	}
	if _, text, exit := sampul(t, "", "run", "pause", strings.Repeat("x", 65), "--app", r.app0(), "--dir", dir); exit != 2 {
		t.Errorf("a long tag: exit %d: %s", exit, text)
	}
}
