package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"sampul/store"
)

func TestBounceKind(t *testing.T) {
	for _, c := range []struct {
		b    Bounce
		want string
	}{
		{Bounce{Code: 550, Status: "5.1.1", Text: "user unknown"}, BounceHard},
		{Bounce{Code: 550, Status: "5.1.10", Text: "RESOLVER.ADR.RecipientNotFound"}, BounceHard},
		{Bounce{Code: 550, Status: "5.2.1", Text: "mailbox disabled"}, BounceHard},
		{Bounce{Code: 550, Status: "5.7.13"}, BounceHard},
		{Bounce{Code: 550, Text: "No such user here"}, BounceHard},
		{Bounce{Code: 550, Status: "5.4.1", AtRcpt: true, Text: "Recipient address rejected: Access denied. AS(201806281)"}, BounceHard},
		{Bounce{Code: 550, Status: "5.1.0", Text: "unknown user"}, BounceHard},
		{Bounce{Code: 554, Status: "5.0.0", Text: "no such mailbox"}, BounceHard},

		{Bounce{Code: 550, Status: "5.1.1", Other: true}, BounceSoft}, // one member of a list
		{Bounce{Code: 552, Status: "5.2.2", Text: "mailbox full"}, BounceSoft},
		{Bounce{Code: 452, Status: "4.2.2", Expired: true}, BounceSoft},
		{Bounce{Code: 450, Status: "4.1.1", Expired: true}, BounceSoft}, // greylisting for ever
		{Bounce{Code: 550, Status: "5.1.2"}, BounceSoft},                // a domain may lapse for an hour
		{Bounce{Status: "5.4.7"}, BounceSoft},
		{Bounce{Code: 451, Expired: true}, BounceSoft},
		{Bounce{Code: 451, Status: "4.3.0", Expired: true}, BounceSoft},
		{Bounce{Code: 452, Status: "4.3.4", Expired: true}, BounceMessage},
		{Bounce{Code: 552, Text: "User is over quota"}, BounceSoft},

		{Bounce{Code: 550, Status: "5.7.1", Text: "message looks like spam: no such user would write it"}, BounceMessage},
		{Bounce{Code: 550, Status: "5.7.26", Text: "unauthenticated mail"}, BounceMessage},
		{Bounce{Code: 451, Status: "4.7.1", Expired: true}, BounceMessage},
		{Bounce{Code: 550, Status: "5.1.7", Text: "bad sender"}, BounceMessage},
		{Bounce{Code: 550, Status: "5.1.8", Text: "sender domain does not exist"}, BounceMessage},
		{Bounce{Code: 552, Status: "5.2.3"}, BounceMessage},
		{Bounce{Code: 552, Status: "5.3.4"}, BounceMessage},
		{Bounce{Code: 554, Status: "5.6.0"}, BounceMessage},
		{Bounce{Code: 550, Text: "blocked, see https://blocklist.test"}, BounceMessage},
		{Bounce{Code: 554, Text: "unknown user"}, BounceMessage}, // 554 is of the transaction
		{Bounce{Code: 550, Text: "sender address does not exist"}, BounceMessage},
		{Bounce{Code: 550, Text: "client does not exist in DNS"}, BounceMessage},
		{Bounce{Expired: true}, BounceMessage}, // nobody answered: it may be our own line
		{Bounce{Status: "5.1"}, BounceMessage},
		{Bounce{}, BounceMessage},
	} {
		if got := c.b.Kind(); got != c.want {
			t.Errorf("%+v is %s, want %s", c.b, got, c.want)
		}
	}
}

// kept is a store that remembers.
type kept struct {
	mu    sync.Mutex
	all   []store.Suppression
	calls int
	err   error
}

func (k *kept) App(id store.AccountID) *store.App {
	if id != 7 {
		return nil
	}
	return &store.App{Account: 7, Address: "notis@a.test", Agency: "agensi-a"}
}

func (k *kept) NoteBounces(_ context.Context, all []store.Suppression, _ store.SoftRule) ([]store.Suppression, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls++
	k.all = append(k.all, all...)
	return all, k.err
}

// Each bounce is kept once, together with those that come at the same time.
func TestBouncesKept(t *testing.T) {
	k := &kept{}
	var mu sync.Mutex
	counted := map[string]int{}
	b := NewBounces(BouncesDeps{Store: k, Clock: time.Now, Bounced: func(_ *store.App, _, kind string, _ bool) {
		mu.Lock()
		defer mu.Unlock()
		counted[kind]++
	}})
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			x := Bounce{App: 7, Recipient: fmt.Sprintf("orang%d@luar.test", i), Code: 550, Status: "5.1.1", Text: "tiada\r\n\x1b[31m"}
			if i%2 == 0 {
				b.Later(x)
			} else if err := b.Note(t.Context(), x); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, x := range []Bounce{{App: 8, Recipient: "x@luar.test", Code: 550, Status: "5.1.1"}, {App: 7, Recipient: "x@luar.test", Code: 550, Status: "5.7.1"}} {
		if err := b.Note(t.Context(), x); err != nil {
			t.Error(err)
		}
	}
	b.Close()
	if len(k.all) != 500 || counted[BounceHard] != 500 || counted[BounceMessage] != 1 {
		t.Errorf("%d kept, %v counted", len(k.all), counted)
	}
	if s := k.all[0]; s.App != 7 || s.Reason != "tiada [31m" || time.Until(s.Until) < 364*24*time.Hour {
		t.Errorf("%+v", s)
	}
	k = &kept{err: errors.New("rosak")}
	b = NewBounces(BouncesDeps{Store: k, Clock: time.Now})
	if err := b.Note(t.Context(), Bounce{App: 7, Recipient: "x@luar.test", Code: 550, Status: "5.1.1"}); err == nil {
		t.Error("what was not kept was taken")
	}
	b.Close()
	if err := b.Note(t.Context(), Bounce{App: 7, Recipient: "x@luar.test", Code: 550, Status: "5.1.1"}); err == nil {
		t.Error("taken after the end")
	}
}
