package smtpin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Greylist asks strangers to come again: many senders of spam never do. On is off unless
// it is set.
type Greylist struct {
	On     bool
	Wait   time.Duration // before the same triplet is taken; 5 minutes
	Window time.Duration // in which it must come again; 2 days
	Keep   time.Duration // how long who passed is known; 36 days
	Passes int           // triplets after which the whole network is let in at once; 5
}

const (
	greyMax   = 100_000 // triplets, and networks, that are known at most
	greyEvery = 5 * time.Minute
	greyState = "greylist"
)

// greylist knows triplets of network, sender's domain and recipient by a hash: no
// addresses are kept.
type greylist struct {
	o      Greylist
	clock  func() time.Time
	log    *slog.Logger
	states States

	mu    sync.Mutex
	known map[uint64]*triplet
	nets  map[uint64]*triplet // networks; first counts passes
	dirty bool
}

// triplet is when something was seen, in seconds since 1970.
type triplet struct {
	first, last int64
	passed      uint32
}

func newGreylist(o Greylist, deps DefenceDeps) *greylist {
	o.Wait = cmp.Or(o.Wait, 5*time.Minute)
	o.Window = cmp.Or(o.Window, 48*time.Hour)
	o.Keep = cmp.Or(o.Keep, 36*24*time.Hour)
	o.Passes = cmp.Or(o.Passes, 5)
	g := &greylist{o: o, clock: deps.Clock, log: deps.Log, states: deps.States, known: map[uint64]*triplet{}, nets: map[uint64]*triplet{}}
	if !o.On || g.states == nil {
		return g
	}
	b, err := g.states.State(greyState)
	if err == nil {
		g.known, g.nets = decodeGrey(b)
	} else {
		g.log.Warn("greylist begins empty", "err", err)
	}
	return g
}

// check asks a stranger to come again.
func (g *greylist) check(s *session, to string) error {
	if !g.o.On {
		return nil
	}
	_, domain := splitAddress(s.tx.args.from)
	wait := g.seen(s.ip, strings.ToLower(domain), strings.ToLower(to))
	if wait == 0 {
		return nil
	}
	s.log.Info("greylisted", "remote", s.ip, "from", s.tx.args.from, "to", to, "wait_s", int(wait.Seconds()))
	return reply(451, "4.7.1", "not known here yet: try again in a few minutes")
}

// seen notes a triplet; 0 lets it pass.
func (g *greylist) seen(ip netip.Addr, domain, to string) time.Duration {
	network := greyNetwork(ip)
	n, k := greyKey(network), greyKey(network, domain, to)
	now := g.clock()
	at := now.Unix()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dirty = true
	known := g.nets[n]
	if known != nil && now.Sub(time.Unix(known.last, 0)) > g.o.Keep {
		delete(g.nets, n)
		known = nil
	}
	if known != nil && int(known.passed) >= g.o.Passes {
		known.last = at
		return 0
	}
	t := g.known[k]
	if t != nil && t.passed == 0 && now.Sub(time.Unix(t.first, 0)) > g.o.Window || t != nil && now.Sub(time.Unix(t.last, 0)) > g.o.Keep {
		t = nil
	}
	if t == nil {
		g.room(g.known, at)
		g.known[k] = &triplet{first: at, last: at}
		return g.o.Wait
	}
	t.last = at
	if wait := g.o.Wait - now.Sub(time.Unix(t.first, 0)); wait > 0 && t.passed == 0 {
		return wait
	}
	if t.passed == 0 {
		if known == nil {
			g.room(g.nets, at)
			known = &triplet{first: at}
			g.nets[n] = known
		}
		known.passed++
		known.last = at
	}
	t.passed = 1
	return 0
}

// room forgets what is over, or else some others, when there are too many.
func (g *greylist) room(m map[uint64]*triplet, at int64) {
	if len(m) < greyMax {
		return
	}
	for k, t := range m {
		if at-t.last > int64(g.o.Keep.Seconds()) || t.passed == 0 && at-t.first > int64(g.o.Window.Seconds()) {
			delete(m, k)
		}
	}
	for k := range m {
		if len(m) < greyMax*9/10 {
			return
		}
		delete(m, k)
	}
}

func greyNetwork(ip netip.Addr) string {
	bits := 64
	if ip = ip.Unmap(); ip.Is4() {
		bits = 24
	}
	p, _ := ip.Prefix(bits)
	return p.String()
}

func greyKey(words ...string) uint64 {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return binary.BigEndian.Uint64(sum[:])
}

// run keeps the state from time to time.
func (g *greylist) run(ctx context.Context) {
	if !g.o.On || g.states == nil {
		return
	}
	tick := time.NewTicker(greyEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.keep(ctx)
		case <-ctx.Done():
			g.keep(context.WithoutCancel(ctx))
			return
		}
	}
}

func (g *greylist) keep(ctx context.Context) {
	g.mu.Lock()
	if !g.dirty {
		g.mu.Unlock()
		return
	}
	g.dirty = false
	b := encodeGrey(g.known, g.nets)
	g.mu.Unlock()
	if err := g.states.KeepState(ctx, greyState, b); err != nil {
		g.log.Warn("greylist was not kept", "err", err)
	}
}

const greyVersion = 1

func encodeGrey(maps ...map[uint64]*triplet) []byte {
	out := []byte{greyVersion}
	for _, m := range maps {
		out = binary.BigEndian.AppendUint32(out, uint32(len(m)))
		for k, t := range m {
			out = binary.BigEndian.AppendUint64(out, k)
			out = binary.BigEndian.AppendUint64(out, uint64(t.first))
			out = binary.BigEndian.AppendUint64(out, uint64(t.last))
			out = binary.BigEndian.AppendUint32(out, t.passed)
		}
	}
	return out
}

// decodeGrey reads what can be read: a greylist that begins empty does no harm.
func decodeGrey(b []byte) (known, nets map[uint64]*triplet) {
	maps := [2]map[uint64]*triplet{{}, {}}
	if len(b) == 0 || b[0] != greyVersion {
		return maps[0], maps[1]
	}
	b = b[1:]
	const row = 28
	for i := range maps {
		if len(b) < 4 {
			break
		}
		n := binary.BigEndian.Uint32(b)
		b = b[4:]
		for ; n > 0 && len(b) >= row && len(maps[i]) < greyMax; n-- {
			maps[i][binary.BigEndian.Uint64(b)] = &triplet{int64(binary.BigEndian.Uint64(b[8:])), int64(binary.BigEndian.Uint64(b[16:])), binary.BigEndian.Uint32(b[24:])}
			b = b[row:]
		}
	}
	return maps[0], maps[1]
}
