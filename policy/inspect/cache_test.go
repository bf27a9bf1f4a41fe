package inspect

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"sampul/internal/message"
	"sampul/policy/extract"
	"sampul/policy/mark"
)

func TestDocumentsAreReadOnce(t *testing.T) {
	r := newRig(t, Options{})
	ctx := context.Background()
	d := order("read")
	first, err := r.read(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	bad := order("exit")
	if rep, err := r.read(ctx, bad); err != nil || len(rep.Gaps) != 1 {
		t.Fatalf("%+v, %v", rep, err)
	}
	r.Close() // what is not known now cannot be read

	again, err := r.read(ctx, d)
	if err != nil || fmt.Sprint(again.Found, again.Files, again.Notes) != fmt.Sprint(first.Found, first.Files, first.Notes) {
		t.Errorf("again: %+v, %v; first %+v", again, err, first)
	}
	moved := d
	moved.Path, moved.Used = `attachment 7 "lain.zip"`, extract.Used{Members: 5, Expanded: 1000}
	rep, err := r.read(ctx, moved)
	if err != nil || rep.Found.Findings[0].Path != moved.Path || rep.Files[0].Path != moved.Path || rep.Used.Members < 5 || rep.Used.Expanded < 1000 {
		t.Errorf("elsewhere: %+v, %v", rep, err)
	}
	if first.Found.Findings[0].Path != d.Path {
		t.Errorf("what was given out before has changed: %+v", first)
	}
	for name, change := range map[string]func(*extract.Document, *mark.Settings){
		"name":     func(d *extract.Document, _ *mark.Settings) { d.Name += "x" },
		"declared": func(d *extract.Document, _ *mark.Settings) { d.Declared += "x" },
		"charset":  func(d *extract.Document, _ *mark.Settings) { d.Charset += "x" },
		"depth":    func(d *extract.Document, _ *mark.Settings) { d.Depth++ },
		"content":  func(d *extract.Document, _ *mark.Settings) { d.Data = slices.Concat(d.Data, []byte("x")) },
		"top":      func(d *extract.Document, _ *mark.Settings) { d.Path = "" },
		"settings": func(_ *extract.Document, s *mark.Settings) { s.Version = "2" },
		"budget":   func(d *extract.Document, _ *mark.Settings) { d.Used.Members = r.o.Budget.Members + 1 },
	} {
		other, s := d, &mark.Settings{}
		change(&other, s)
		if name != "settings" {
			s = nil
		}
		if rep, _, err := r.document(ctx, other, s); !errors.Is(err, errClosed) {
			t.Errorf("another %s is the same document: %+v, %v", name, rep, err)
		}
	}
	if rep, err := r.read(ctx, bad); !errors.Is(err, errClosed) {
		t.Errorf("the end of a worker is kept: %+v, %v", rep, err)
	}
}

// A gap for want of what others used up says nothing about the document.
func TestBudgetOfOthersIsNotKept(t *testing.T) {
	c := newCache(1 << 20)
	d := extract.Document{Path: "a", Data: []byte("x"), Used: extract.Used{Members: 9}}
	rep := &Report{Gaps: []extract.Gap{{Path: "a", Reason: extract.TooMuch}}, Used: extract.Used{Members: 11}}
	c.keep(documentKey(d, nil), d, rep)
	if c.order.Len() > 0 {
		t.Error("kept though others had used some of the budget")
	}
	d.Used = extract.Used{}
	c.keep(documentKey(d, nil), d, rep)
	if c.document(documentKey(d, nil), d, extract.Budget{}.Filled()) == nil {
		t.Error("not kept though the document alone is past the budget")
	}
}

func TestCacheIsBounded(t *testing.T) {
	const most = 100_000
	c := newCache(most)
	k := func(n int) key { return messageKey(sha256.Sum256(fmt.Append(nil, n)), nil) }
	for n := range 1000 {
		c.put(&kept{key: k(n), rep: &Report{Notes: []string{strings.Repeat("x", 500)}}})
		if c.get(k(0)) == nil { // used all the time, hence kept
			t.Fatalf("gone after %d others", n)
		}
		if c.size > most {
			t.Fatalf("%d octets after %d", c.size, n)
		}
	}
	if c.get(k(500)) != nil || c.get(k(999)) == nil || len(c.by) != c.order.Len() || c.order.Len() < most/1500 {
		t.Errorf("%d kept of 1000, %d octets", c.order.Len(), c.size)
	}
	c.put(&kept{key: k(2000), rep: &Report{Notes: []string{strings.Repeat("x", most/4)}}})
	if c.get(k(2000)) != nil || c.get(k(999)) == nil {
		t.Error("one large report drives out the others")
	}
}

func TestMessagesAreLookedThroughOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(1 << 20)
		k := messageKey([32]byte{1}, nil)
		ctx := context.Background()
		var made atomic.Int32
		release := make(chan error)
		look := func() (*Report, bool, error) {
			made.Add(1)
			if err := <-release; err != nil {
				return nil, false, err
			}
			return &Report{Notes: []string{"satu"}}, true, nil
		}
		type answer struct {
			rep *Report
			err error
		}
		ask := func(ctx context.Context) chan answer {
			ch := make(chan answer, 1)
			go func() {
				rep, err := c.message(ctx, k, look)
				ch <- answer{rep, err}
			}()
			synctest.Wait()
			return ch
		}
		first, second := ask(ctx), ask(ctx)
		called, cancel := context.WithCancel(ctx)
		third := ask(called)
		cancel()
		if a := <-third; !errors.Is(a.err, context.Canceled) {
			t.Errorf("called off while it waited: %+v", a)
		}
		release <- calledOff{context.Canceled} // the first was called off, the second goes on
		if a := <-first; !errors.Is(a.err, context.Canceled) {
			t.Errorf("called off: %+v", a)
		}
		fault := errors.New("no worker can be started")
		release <- fault
		if a := <-second; !errors.Is(a.err, fault) {
			t.Errorf("a fault: %+v", a)
		}
		fourth, fifth := ask(ctx), ask(ctx)
		release <- nil
		for _, ch := range []chan answer{fourth, fifth, ask(ctx)} {
			if a := <-ch; a.err != nil || a.rep.Notes[0] != "satu" {
				t.Errorf("%+v", a)
			}
		}
		if n := made.Load(); n != 3 {
			t.Errorf("made %d times, want 3", n)
		}
	})
}

// A panic leaves nobody waiting.
func TestPanicEndsAFlight(t *testing.T) {
	c := newCache(1 << 20)
	k := messageKey([32]byte{1}, nil)
	func() {
		defer func() { recover() }()
		c.message(context.Background(), k, func() (*Report, bool, error) { panic("x") })
	}()
	if rep, err := c.message(context.Background(), k, func() (*Report, bool, error) { return &Report{}, false, nil }); err != nil || rep == nil {
		t.Errorf("%+v, %v", rep, err)
	}
	if len(c.flying) > 0 || c.order.Len() > 0 {
		t.Error("something is left")
	}
}

// withZip is a message with an attachment.
func withZip(t testing.TB, name string, content []byte) ([]byte, *message.Index) {
	t.Helper()
	b := fmt.Appendf(nil, "Subject: Fail\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream; name=%s\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: binary\r\n\r\n%s",
		name, content)
	return b, message.Parse(b)
}

// A whole message, by the real reader in a real worker; then the same again without one.
func TestMessage(t *testing.T) {
	here := New(Options{})
	r := newRig(t, Options{Command: real})
	doc := docx(t, 10, "RAHSIA")
	b, x := withZip(t, "surat.docx", doc)
	sum := sha256.Sum256(b)
	want, err := here.Message(context.Background(), x, bytes.NewReader(b), [32]byte{})
	if err != nil || mark.Weigh(want.Found).Class != mark.Rahsia {
		t.Fatalf("%+v, %v", want, err)
	}
	for _, where := range []string{"worker", "cache"} {
		got, err := r.Message(context.Background(), x, bytes.NewReader(b), sum)
		if err != nil {
			t.Fatal(err)
		}
		got.Used.CPU, want.Used.CPU = 0, 0
		slices.SortFunc(got.Found.Findings, byPath)
		slices.SortFunc(want.Found.Findings, byPath)
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s: got %+v\nwant %+v", where, got, want)
		}
		r.Close()
	}
}

func byPath(a, b mark.Finding) int { return strings.Compare(a.Path+a.Where, b.Path+b.Where) }
