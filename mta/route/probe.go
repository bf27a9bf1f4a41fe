package route

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// How long answers of other servers are believed. That there was none is not kept: the
// next client asks again.
const (
	yesFor     = 5 * time.Minute
	noFor      = time.Minute
	maxAnswers = 20_000
)

type answer struct {
	no    *Refusal // nil: the address is there
	until time.Time
}

type asked struct {
	mu      sync.Mutex
	answers map[string]answer
	now     map[string]int // questions under way
}

// begin counts a question, and says whether the same one is under way.
func (a *asked) begin(key string) (already bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now[key]++
	return a.now[key] > 1
}

func (a *asked) end(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now[key]--; a.now[key] == 0 {
		delete(a.now, key)
	}
}

func (a *asked) get(key string, now time.Time) (answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	got, ok := a.answers[key]
	return got, ok && now.Before(got.until)
}

func (a *asked) put(key string, got answer, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.answers) >= maxAnswers {
		for k, v := range a.answers {
			if !now.Before(v.until) {
				delete(a.answers, k)
			}
		}
		if len(a.answers) >= maxAnswers {
			clear(a.answers)
		}
	}
	a.answers[key] = got
}

// ask is what the other server of a split domain says of an address: nil when it takes
// mail for it. It is asked with the null reverse-path, so that the answer is about the
// address alone.
//
// Two servers that each think the other has the address would ask each other without end.
// So a question that looks like ours, while ours is under way, is not passed on. When it
// is the other server that asks, nobody has the address; a stranger may come again.
func (r *Routes) ask(ctx context.Context, hop Hop, req Request, to string) *Refusal {
	if r.o.Prober == nil {
		return noAnswer()
	}
	key := hop.Host + "|" + hop.TLS + "|" + strings.ToLower(to)
	if got, ok := r.asked.get(key, r.o.Clock()); ok {
		return got.no
	}
	already := r.asked.begin(key)
	defer r.asked.end(key)
	if already && req.From == "" {
		if req.Inside || r.isHost(ctx, hop.Host, req.Client) {
			return refuse(550, "5.4.6", "each of two servers thinks that the other has this address")
		}
		return noAnswer()
	}
	ctx, cancel := context.WithTimeout(ctx, r.o.ProbeTime)
	defer cancel()
	code, _, text, err := r.o.Prober.Probe(ctx, hop, "", to)
	now := r.o.Clock()
	switch {
	case err != nil || code < 200 || code >= 600:
		return noAnswer()
	case code < 300:
		r.asked.put(key, answer{nil, now.Add(yesFor)}, now)
		return nil
	case code >= 500:
		if text = oneLine(text); text == "" {
			text = "nobody there has this address"
		}
		const says = "the agency's other server says: " // once, whoever asked whom
		no := &Refusal{550, "5.1.1", says + strings.TrimPrefix(text, says)}
		r.asked.put(key, answer{no, now.Add(noFor)}, now)
		return no
	}
	return noAnswer()
}

// isHost says whether a client is the server of a route, HOST:PORT.
func (r *Routes) isHost(ctx context.Context, server string, client netip.Addr) bool {
	host, _, err := net.SplitHostPort(server)
	if err != nil || !client.IsValid() {
		return false
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap() == client.Unmap()
	}
	if r.o.Addresses == nil {
		return false
	}
	for _, a := range r.o.Addresses(ctx, host) {
		if a.Unmap() == client.Unmap() {
			return true
		}
	}
	return false
}

func noAnswer() *Refusal {
	return &Refusal{450, "4.4.1", "the agency's other server does not answer: try again later"}
}

// oneLine makes a text that may stand in a reply of ours: printable ASCII, not too long.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, s)
	if s = strings.Join(strings.Fields(s), " "); len(s) > 300 {
		s = s[:300]
	}
	return s
}
