package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// count is how many messages are in a mailbox.
func (r *running) count(address, box string) int {
	r.t.Helper()
	c := r.imap(address)
	defer c.Close()
	s, err := c.Select(box, nil).Wait()
	if err != nil {
		return 0
	}
	return int(s.NumMessages)
}

// notifyMany sends n messages of the application over several connections, and says how many
// were taken.
func (r *running) notifyMany(n int, to string) (taken int) {
	r.t.Helper()
	const conns = 16
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range conns {
		c := r.app()
		wg.Go(func() {
			for range n/conns + min(1, max(0, n%conns-i)) {
				if _, err := notify(c, r.Application.Address, to); err == nil {
					mu.Lock()
					taken++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return taken
}

// With --over delay all of 2,000 messages are taken, and what is over the hour's quota is
// filed when the clock opens the next hour: here by a second start an hour later. A restart
// within the hour releases nothing.
func TestOverDelay(t *testing.T) {
	dir := t.TempDir()
	const to = "pegawai1@agensi-a.test"
	r := startDemo(t, "--dir", dir, "--now", "2026-03-10T10:20:00+08:00")
	r.do("app", "set", r.app0(), "--quota", "hour=1000", "--over", "delay")
	if n := r.notifyMany(2000, to); n != 2000 {
		t.Fatalf("%d of 2000 taken", n)
	}
	eventually(t, "a thousand filed", func() bool { return r.count(to, "INBOX") == 1000 })
	waits := func(want int) {
		t.Helper()
		all := lines[queueLine](r, "queue", "list", "--json")
		if len(all) != want {
			t.Fatalf("%d messages wait", len(all))
		}
		for _, q := range all {
			if !q.NotBefore.Equal(time.Date(2026, 3, 10, 3, 0, 0, 0, time.UTC)) || !strings.Contains(q.Recipients[0].Text, "waits for its quota window until 2026-03-10T11:00:00+08:00") {
				t.Fatalf("%+v", q)
			}
		}
	}
	waits(1000)
	r.do("queue", "flush")
	waits(1000)
	r.kill()

	r = startDemo(t, "--dir", dir, "--now", "2026-03-10T10:40:00+08:00")
	waits(1000)
	if n := r.count(to, "INBOX"); n != 1000 {
		t.Errorf("%d filed within the hour", n)
	}
	r.terminate()

	r = startDemo(t, "--dir", dir, "--now", "2026-03-10T11:00:01+08:00")
	eventually(t, "all filed", func() bool { return r.count(to, "INBOX") == 2000 })
	if all := lines[queueLine](r, "queue", "list", "--json"); len(all) != 0 {
		t.Errorf("%d messages wait still", len(all))
	}
}

// A suite that runs releases at the full hour by itself, each recipient with what
// acceptance would have given.
func TestReleasedAtTheHour(t *testing.T) {
	r := startDemo(t, "--now", "2026-03-10T10:59:55+08:00")
	r.do("group", "add", "semua@agensi-a.test", "--owner", "ucadmin@agensi-a.test", "--member", "pegawai1@agensi-a.test", "--member", "pegawai2@agensi-a.test")
	r.do("app", "set", r.app0(), "--quota", "hour=2", "--over", "delay")
	for i, to := range []string{"semua@agensi-a.test", "semua@agensi-a.test", "pegawai2@agensi-a.test", "pegawai2@agensi-a.test"} {
		if n := r.notifyMany(1, to); n != 1 {
			t.Fatalf("message %d not taken", i)
		}
	}
	eventually(t, "the hour", func() bool {
		return r.count("pegawai1@agensi-a.test", "INBOX") == 2 && r.count("pegawai2@agensi-a.test", "INBOX") == 2
	})
	if all := lines[queueLine](r, "queue", "list", "--json"); len(all) != 2 || all[0].NotBefore.UTC().Hour() != 4 {
		t.Errorf("what is over the next hour too: %+v", all)
	}
	for _, bad := range []string{"tomorrow", "2026-03-10", "0001-01-01T00:00:00Z"} {
		if _, text, exit := sampul(t, "", "demo", "--now", bad); exit != 2 {
			t.Errorf("--now %s: exit %d: %s", bad, exit, text)
		}
	}
	if got := fmt.Sprint(lines[traceLine](r, "trace", "pegawai1@agensi-a.test", "--json")); !strings.Contains(got, " filed  0  INBOX ") {
		t.Errorf("trace: %s", got)
	}
}
