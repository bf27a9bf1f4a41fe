package trace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sampul/internal/seal"
	"sampul/store"
)

var (
	ctx   = context.Background()
	key   = seal.Ephemeral()
	began = time.Date(2026, 11, 2, 23, 59, 0, 0, time.UTC)
)

// A clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func openTest(t testing.TB, dir string, c *clock) *Log {
	t.Helper()
	l, err := Open(Options{Dir: dir, Key: key, Days: 3, Clock: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// ids are those of the stories that are found.
func ids(t testing.TB, l *Log, by store.Actor, key string) (out []string) {
	t.Helper()
	all, err := l.Stories(ctx, by, key, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		out = append(out, s.ID)
	}
	return out
}

func want(t testing.TB, l *Log, key string, all ...string) {
	t.Helper()
	if got := ids(t, l, store.System, key); !slices.Equal(got, all) {
		t.Fatalf("%s: found %q, want %q", key, got, all)
	}
}

func note(l *Log, at time.Time, id, event, from string, to ...string) {
	l.Note(store.Event{Time: at, ID: id, MessageID: "<" + id + "@luar.test>", Event: event, From: from, To: to})
}

func TestStories(t *testing.T) {
	c := &clock{now: began}
	dir := t.TempDir()
	l := openTest(t, dir, c)
	first := store.Event{Time: began, ID: "Q1", MessageID: "<Satu@luar.test>", Agencies: []string{"agensi-a", "agensi-b"}, Event: "accepted",
		From: "Orang@luar.test", To: []string{"a@agensi-a.test", "b@agensi-b.test"}, Host: "luar.test[192.0.2.1]:40000", Code: 250,
		Enhanced: "2.0.0", Text: "diterima"}
	l.Note(first)
	note(l, began.Add(time.Second), "Q2", "accepted", "orang@luar.test", "c@agensi-a.test")
	c.set(began.Add(2 * time.Minute)) // the next day
	want(t, l, "Q2", "Q2")
	l.Note(store.Event{ID: "Q1", Event: "delivered", To: []string{"b@agensi-b.test"}, Agencies: []string{"agensi-b"}})
	c.set(began.Add(3 * time.Minute))
	l.Note(store.Event{Event: "refused", From: "jahat@luar.test", To: []string{"a@agensi-a.test"}, Code: 550})
	for range 2 {
		want(t, l, "orang@LUAR.test", "Q2", "Q1")
		want(t, l, "<satu@luar.test>", "Q1")
		want(t, l, "satu@luar.test", "Q1")
		want(t, l, "q1", "Q1")
		want(t, l, "b@agensi-b.test", "Q1")
		want(t, l, "a@agensi-a.test", "", "Q1")
		want(t, l, "jahat@luar.test", "")
		want(t, l, "tiada@luar.test")
		want(t, l, "")
		s, err := l.Stories(ctx, store.System, "satu@luar.test", 1)
		if err != nil || len(s) != 1 || s[0].MessageID != "<Satu@luar.test>" || len(s[0].Events) != 2 || s[0].Events[1].Event != "delivered" {
			t.Fatalf("%+v, %v", s, err)
		}
		got := s[0].Events[0]
		if !got.Time.Equal(first.Time) {
			t.Fatalf("at %v, want %v", got.Time, first.Time)
		}
		if got.Time = first.Time; !reflect.DeepEqual(got, first) {
			t.Fatalf("got  %+v\nwant %+v", got, first)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = openTest(t, dir, c)
	}
	if n := len(ids(t, l, store.System, "orang@luar.test")); n != 2 {
		t.Fatalf("%d stories", n)
	}
	if s, err := l.Stories(ctx, store.System, "orang@luar.test", 1); err != nil || len(s) != 1 || s[0].ID != "Q2" {
		t.Fatalf("the newest of two: %+v, %v", s, err)
	}
}

// An agency sees the events that name it, and no others.
func TestAgencies(t *testing.T) {
	l := openTest(t, t.TempDir(), &clock{now: began})
	l.Note(store.Event{ID: "Q1", Event: "accepted", From: "x@luar.test", Agencies: []string{"agensi-a", "agensi-b"}})
	l.Note(store.Event{ID: "Q1", Event: "filed", To: []string{"a@agensi-a.test"}, Agencies: []string{"agensi-a"}})
	l.Note(store.Event{ID: "Q2", Event: "accepted", From: "x@luar.test", Agencies: []string{"agensi-b"}})
	l.Note(store.Event{ID: "Q3", Event: "accepted", From: "x@luar.test"})
	for _, tt := range []struct {
		by     store.Actor
		key    string
		events string
	}{
		{store.System, "x@luar.test", "Q1 accepted filed Q2 accepted Q3 accepted"},
		{store.Actor{Role: store.RoleAdmin, Agency: "agensi-b"}, "x@luar.test", "Q1 accepted Q2 accepted"},
		{store.Actor{Role: store.RoleSecurity, Agency: "agensi-b"}, "Q1", "Q1 accepted"},
		{store.Actor{Role: store.RoleAdmin, Agency: "agensi-b"}, "a@agensi-a.test", ""},
		{store.Actor{Role: store.RoleAdmin, Agency: "agensi-c"}, "Q1", ""},
	} {
		all, err := l.Stories(ctx, tt.by, tt.key, 100)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(all, func(a, b store.Story) int { return strings.Compare(a.ID, b.ID) })
		var got []string
		for _, s := range all {
			got = append(got, s.ID)
			for _, e := range s.Events {
				got = append(got, e.Event)
			}
		}
		if strings.Join(got, " ") != tt.events {
			t.Errorf("%+v, %s: got %q, want %q", tt.by, tt.key, got, tt.events)
		}
	}
	for _, by := range []store.Actor{{}, {Role: store.RoleOfficer, Agency: "agensi-a"}, {Role: store.RoleAdmin}} {
		if _, err := l.Stories(ctx, by, "Q1", 1); !errors.Is(err, store.ErrForbidden) {
			t.Errorf("%+v may look: %v", by, err)
		}
	}
}

// Days that are over are removed, at a start and while running.
func TestOldDaysGo(t *testing.T) {
	c := &clock{now: began}
	dir := t.TempDir()
	l := openTest(t, dir, c)
	for day := range 6 {
		c.set(began.AddDate(0, 0, day))
		note(l, time.Time{}, fmt.Sprint("Q", day), "accepted", "x@luar.test")
		want(t, l, fmt.Sprint("Q", day), fmt.Sprint("Q", day)) // and so it is in the file
	}
	want(t, l, "Q1")
	want(t, l, "Q2", "Q2")
	if err := os.WriteFile(filepath.Join(dir, "2020-01-01.trace"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.Close()
	c.set(began.AddDate(0, 0, 20))
	openTest(t, dir, c)
	if names, err := dayNames(dir); err != nil || len(names) != 0 {
		t.Fatalf("%v, %v", names, err)
	}
}

// Whatever a crash leaves of the last block, those before it are read, and those after the
// next start too.
func TestTornTail(t *testing.T) {
	c := &clock{now: began}
	dir := t.TempDir()
	l := openTest(t, dir, c)
	for i := range 3 {
		note(l, time.Time{}, fmt.Sprint("Q", i), "accepted", "x@luar.test")
		want(t, l, fmt.Sprint("Q", i), fmt.Sprint("Q", i))
	}
	l.Close()
	path := filepath.Join(dir, fileName(began))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := readDay(dir, fileName(began), key)
	if err != nil {
		t.Fatal(err)
	}
	var starts []int64
	if _, err := d.walk(func(p place, _ []byte) { starts = append(starts, p.at) }); err != nil || len(starts) != 3 {
		t.Fatalf("%v, %v", starts, err)
	}
	d.close()
	for n := int(starts[2]); n < len(whole); n++ {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		l := openTest(t, dir, c)
		note(l, time.Time{}, "Q9", "accepted", "x@luar.test")
		got := ids(t, l, store.System, "x@luar.test")
		slices.Sort(got)
		if !slices.Equal(got, []string{"Q0", "Q1", "Q9"}) {
			t.Fatalf("cut at %d: %q", n, got)
		}
		l.Close()
	}
}

// An altered octet costs one block at most, and never a wrong event.
func TestDamage(t *testing.T) {
	c := &clock{now: began}
	dir := t.TempDir()
	l := openTest(t, dir, c)
	for i := range 3 {
		note(l, time.Time{}, fmt.Sprint("Q", i), "accepted", "x@luar.test")
		want(t, l, fmt.Sprint("Q", i), fmt.Sprint("Q", i))
	}
	l.Close()
	path := filepath.Join(dir, fileName(began))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c.set(began.AddDate(0, 0, 1)) // the file is not written to any more
	l = openTest(t, dir, c)
	for i := fileStart; i < len(whole); i += 3 {
		spoiled := slices.Clone(whole)
		spoiled[i] ^= 0x41
		if err := os.WriteFile(path, spoiled, 0o600); err != nil {
			t.Fatal(err)
		}
		got := ids(t, l, store.System, "x@luar.test")
		for _, id := range got {
			if id != "Q0" && id != "Q1" && id != "Q2" {
				t.Fatalf("octet %d: a story of %q", i, id)
			}
		}
		if len(got) < 1 {
			t.Fatalf("octet %d: found %q", i, got)
		}
	}
	if err := os.WriteFile(path, []byte("not a trace file, but long enough to be taken for one"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, l, "x@luar.test")
}

// The file tells nothing to those without the key.
func TestSealed(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, &clock{now: began})
	for range 100 {
		note(l, time.Time{}, "QRAHSIA", "accepted", "orang@luar.test", "pegawai1@agensi-a.test")
	}
	l.Close()
	b, err := os.ReadFile(filepath.Join(dir, fileName(began)))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"QRAHSIA", "luar.test", "pegawai1", "accepted"} {
		if strings.Contains(string(b), s) {
			t.Errorf("the file shows %q", s)
		}
	}
}

// Many blocks: each story is found, and few blocks are opened for nothing.
func TestFilters(t *testing.T) {
	f := newFilter(1000)
	tk := newTokens(key)
	for i := range 1000 {
		f.add(tk.of(fmt.Sprint("key ", i)))
	}
	wrong := 0
	for i := range 1000 {
		if !f.may(tk.of(fmt.Sprint("key ", i))) {
			t.Fatalf("key %d is not let pass", i)
		}
		for j := range 10 {
			if f.may(tk.of(fmt.Sprint("other ", i, j))) {
				wrong++
			}
		}
	}
	if wrong > 50 {
		t.Fatalf("%d of 10000 are let pass wrongly", wrong)
	}
}

// A disk that cannot be written to costs events, which are counted, and nothing else.
func TestDiskFails(t *testing.T) {
	dir := t.TempDir()
	c := &clock{now: began}
	l := openTest(t, dir, c)
	if err := os.Mkdir(filepath.Join(dir, fileName(began)), 0o700); err != nil { // no file can be there
		t.Fatal(err)
	}
	note(l, time.Time{}, "Q1", "accepted", "x@luar.test")
	if err := l.flush(ctx); err != nil {
		t.Fatal(err)
	}
	if n := l.TraceDropped(); n != 1 {
		t.Fatalf("%d dropped", n)
	}
	c.set(began.AddDate(0, 0, 1))
	note(l, time.Time{}, "Q2", "accepted", "x@luar.test")
	want(t, l, "Q2", "Q2")
}

// Note never waits: what is too much is dropped, and counted.
func TestNoteNeverWaits(t *testing.T) {
	l := &Log{o: Options{Clock: time.Now}, items: make(chan item, 10), stop: make(chan struct{}), done: make(chan struct{})}
	for range 25 {
		l.Note(store.Event{ID: "Q"})
	}
	if n := l.TraceDropped(); n != 15 {
		t.Fatalf("%d dropped", n)
	}
}

func TestLongEvents(t *testing.T) {
	l := openTest(t, t.TempDir(), &clock{now: began})
	e := store.Event{ID: "Q1", Event: "accepted", Text: strings.Repeat("é", 100_000), MessageID: strings.Repeat("m", 100_000)}
	for i := range 20_000 {
		e.To = append(e.To, fmt.Sprintf("pegawai%d@agensi-a.test", i))
	}
	l.Note(e)
	s, err := l.Stories(ctx, store.System, "Q1", 1)
	if err != nil || len(s) != 1 || len(s[0].Events) != 1 || len(s[0].Events[0].Text) > maxText || len(s[0].Events[0].To) < 1000 {
		t.Fatalf("%d stories, %v", len(s), err)
	}
	want(t, l, e.MessageID, "Q1")
	want(t, l, "pegawai0@agensi-a.test", "Q1")
}

func FuzzEvent(f *testing.F) {
	e := store.Event{Time: began, ID: "Q1", Agencies: []string{"a"}, To: []string{"x@y.test"}, Code: 250}
	f.Add(appendEvent(nil, &e))
	f.Add([]byte{0, 0, 0, 3, 1, 9, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		raw, rest, err := nextEvent(b)
		if err != nil {
			return
		}
		if len(raw)+len(rest)+4 != len(b) {
			t.Fatalf("%d octets became %d and %d", len(b), len(raw), len(rest))
		}
		got, err := decodeEvent(raw)
		if err != nil {
			return
		}
		again, _, err := nextEvent(appendEvent(nil, &got))
		if err != nil {
			t.Fatal(err)
		}
		if second, err := decodeEvent(again); err != nil || second.ID != got.ID || !slices.Equal(second.Agencies, slices.DeleteFunc(got.Agencies, func(s string) bool { return s == "" })) {
			t.Fatalf("%+v became %+v, %v", got, second, err)
		}
	})
}

// BenchmarkNote is what the trace costs a message of three events.
func BenchmarkNote(b *testing.B) {
	l := openTest(b, b.TempDir(), &clock{now: began})
	i := 0
	for b.Loop() {
		i++
		id := fmt.Sprintf("Q%010d", i)
		l.Note(store.Event{ID: id, MessageID: "<" + id + "@luar.test>", Event: "accepted", From: "orang@luar.test",
			To: []string{fmt.Sprintf("pegawai%d@agensi-a.test", i%1000)}, Agencies: []string{"agensi-a"}, Host: "mx.luar.test[192.0.2.1]:41000"})
		l.Note(store.Event{ID: id, Event: "queued", Agencies: []string{"agensi-a"}})
		l.Note(store.Event{ID: id, Event: "delivered", Host: "mx.jauh.test[192.0.2.2]:25", Code: 250, Enhanced: "2.0.0", Text: "queued as 123"})
		if i%1000 == 0 {
			l.flush(ctx)
		}
	}
	if n := l.TraceDropped(); n > 0 {
		b.Fatalf("%d dropped", n)
	}
}
