// Package dns asks one resolver, and tells apart what mail has to tell apart: a name
// that has no such record, an answer that did not come, and an answer that failed
// DNSSEC validation, which for DANE must never look like the first (RFC 7672 section 2.1).
//
// Answers are cached as long as their TTL says, negative ones by RFC 2308. The AD bit
// counts only when the resolver is on loopback: whoever stands between us and another
// one could set it.
package dns

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/singleflight"
)

// What a look-up can come to besides an answer.
var (
	ErrNone  = errors.New("no such record")            // NXDOMAIN or an empty answer
	ErrName  = fmt.Errorf("%w: no such name", ErrNone) // NXDOMAIN: nothing is there or below; is ErrNone too
	ErrTemp  = errors.New("dns did not answer")        // time-out, SERVFAIL, refused
	ErrBogus = errors.New("dns answer is not valid")   // DNSSEC validation failed
	ErrOff   = errors.New("no resolver is set")
)

const (
	wait   = 4 * time.Second // for one try
	tries  = 2
	maxTTL = time.Hour
	minTTL = time.Second
	badTTL = 5 * time.Second // how long a failure is remembered: a storm must not become ours

	maxNames  = 20000    // in the cache
	maxOctets = 32 << 20 // of answers there: one may have 64 KiB, and strangers choose what is asked
)

// An MX is one mail exchanger.
type MX struct {
	Host string // lower case A-labels, without the last dot; "" is a null MX (RFC 7505)
	Pref uint16
}

// A TLSA is one record of RFC 6698.
type TLSA struct {
	Usage, Selector, Matching uint8
	Data                      []byte
}

// An Info is what stands beside every answer.
type Info struct {
	Secure bool          // validated, by a resolver on loopback
	TTL    time.Duration // the shortest of the records
	Name   string        // where CNAMEs led, the name asked for without any
}

// A Resolver asks one server. It may be used by many goroutines. The zero value and nil
// answer [ErrOff].
type Resolver struct {
	server string
	secure bool
	clock  func() time.Time

	one   singleflight.Group
	mu    sync.Mutex
	cache map[question]*answer
	size  int // of all answers in cache
}

type question struct {
	name string
	typ  uint16
}

type answer struct {
	rrs   []dns.RR
	info  Info
	err   error
	until time.Time
	size  int // octets of the message it came in
}

// New makes a resolver that asks server, HOST:PORT.
func New(server string) *Resolver {
	r := &Resolver{server: server, clock: time.Now, cache: map[question]*answer{}}
	if host, _, err := net.SplitHostPort(server); err == nil {
		ip, err := netip.ParseAddr(host)
		r.secure = err == nil && ip.IsLoopback() || host == "localhost"
	}
	return r
}

// On says whether there is a server to ask.
func (r *Resolver) On() bool { return r != nil && r.server != "" }

// Name is the form in which names are compared: lower case, without the last dot.
func Name(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

// IPs are the addresses of a host, A and AAAA. An error means that neither could be had;
// one kind is enough otherwise, unless the other is bogus.
func (r *Resolver) IPs(ctx context.Context, host string) ([]netip.Addr, Info, error) {
	four, i4, err4 := r.ask(ctx, host, dns.TypeA)
	six, i6, err6 := r.ask(ctx, host, dns.TypeAAAA)
	switch {
	case errors.Is(err4, ErrBogus):
		return nil, i4, err4
	case errors.Is(err6, ErrBogus):
		return nil, i6, err6
	case err4 != nil && err6 != nil:
		if errors.Is(err4, ErrNone) {
			err4 = err6 // ErrNone only when both say so
		}
		info := i4
		info.Secure = i4.Secure && i6.Secure
		return nil, info, err4
	}
	var out []netip.Addr
	for _, rr := range slices.Concat(four, six) {
		switch v := rr.(type) {
		case *dns.A:
			if a, ok := netip.AddrFromSlice(v.A.To4()); ok {
				out = append(out, a)
			}
		case *dns.AAAA:
			if a, ok := netip.AddrFromSlice(v.AAAA.To16()); ok {
				out = append(out, a)
			}
		}
	}
	info := i4
	if err4 != nil {
		info = i6
	}
	info.Secure = (err4 != nil && !errors.Is(err4, ErrNone) || i4.Secure) && (err6 != nil && !errors.Is(err6, ErrNone) || i6.Secure)
	return out, info, nil
}

// MX are the mail exchangers of a domain, the most preferred first.
func (r *Resolver) MX(ctx context.Context, domain string) ([]MX, Info, error) {
	rrs, info, err := r.ask(ctx, domain, dns.TypeMX)
	if err != nil {
		return nil, info, err
	}
	var out []MX
	for _, rr := range rrs {
		if v, ok := rr.(*dns.MX); ok {
			out = append(out, MX{Name(v.Mx), v.Preference})
		}
	}
	slices.SortStableFunc(out, func(a, b MX) int { return int(a.Pref) - int(b.Pref) })
	return out, info, none(len(out))
}

// TXT are the texts at a name, the strings of each record joined.
func (r *Resolver) TXT(ctx context.Context, name string) ([]string, Info, error) {
	rrs, info, err := r.ask(ctx, name, dns.TypeTXT)
	if err != nil {
		return nil, info, err
	}
	var out []string
	for _, rr := range rrs {
		if v, ok := rr.(*dns.TXT); ok {
			out = append(out, unescape(strings.Join(v.Txt, "")))
		}
	}
	return out, info, none(len(out))
}

// unescape gives the octets of a text: the library keeps quotes, backslashes and what is
// not ASCII in the form of master files.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		if i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i:i+3], 10, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// TLSA are the records at _port._tcp.host.
func (r *Resolver) TLSA(ctx context.Context, port int, host string) ([]TLSA, Info, error) {
	rrs, info, err := r.ask(ctx, fmt.Sprintf("_%d._tcp.%s", port, host), dns.TypeTLSA)
	if err != nil {
		return nil, info, err
	}
	var out []TLSA
	for _, rr := range rrs {
		if v, ok := rr.(*dns.TLSA); ok {
			data, err := hex.DecodeString(v.Certificate)
			if err == nil {
				out = append(out, TLSA{v.Usage, v.Selector, v.MatchingType, data})
			}
		}
	}
	return out, info, none(len(out))
}

// PTR are the names of an address.
func (r *Resolver) PTR(ctx context.Context, ip netip.Addr) ([]string, Info, error) {
	arpa, err := dns.ReverseAddr(ip.Unmap().String())
	if err != nil {
		return nil, Info{}, ErrNone
	}
	rrs, info, err := r.ask(ctx, arpa, dns.TypePTR)
	if err != nil {
		return nil, info, err
	}
	var out []string
	for _, rr := range rrs {
		if v, ok := rr.(*dns.PTR); ok {
			out = append(out, Name(v.Ptr))
		}
	}
	return out, info, none(len(out))
}

// Records are the answers of any type in their text form, for comparing what is published
// with what should be.
func (r *Resolver) Records(ctx context.Context, name string, typ uint16) ([]dns.RR, Info, error) {
	return r.ask(ctx, name, typ)
}

func none(n int) error {
	if n == 0 {
		return ErrNone
	}
	return nil
}

// ask gives the records of one type, from the cache where they are.
func (r *Resolver) ask(ctx context.Context, name string, typ uint16) ([]dns.RR, Info, error) {
	if !r.On() {
		return nil, Info{}, ErrOff
	}
	name = Name(name)
	if a := r.cached(question{name, typ}); a != nil { // mostly: its name was looked at before
		return a.rrs, a.info, a.err
	}
	if _, ok := dns.IsDomainName(name); !ok || name == "" && typ != dns.TypeNS {
		return nil, Info{}, ErrNone
	}
	if name != "" {
		if name = written(name); name == "" {
			return nil, Info{}, ErrNone
		}
	}
	q := question{name, typ}
	if a := r.cached(q); a != nil {
		return a.rrs, a.info, a.err
	}
	// The look-up is shared, so it must not end with the first who asked.
	done := r.one.DoChan(fmt.Sprintf("%d %s", typ, name), func() (any, error) {
		a := r.lookUp(context.WithoutCancel(ctx), q)
		r.keep(q, a)
		return a, nil
	})
	select {
	case res := <-done:
		a := res.Val.(*answer)
		return a.rrs, a.info, a.err
	case <-ctx.Done():
		return nil, Info{}, fmt.Errorf("%w: %s: %w", ErrTemp, name, context.Cause(ctx))
	}
}

// written is a name as it stands in answers: SPF macros and hostile headers make names
// with blanks and other octets, which the library writes with backslashes.
func written(name string) string {
	if strings.IndexFunc(name, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_')
	}) < 0 {
		return name
	}
	var wire [256]byte
	n, err := dns.PackDomainName(dns.Fqdn(name), wire[:], 0, nil, false)
	if err != nil {
		return ""
	}
	again, _, err := dns.UnpackDomainName(wire[:n], 0)
	if err != nil {
		return ""
	}
	return Name(again)
}

func (r *Resolver) cached(q question) *answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.cache[q]
	if a == nil || !r.clock().Before(a.until) {
		return nil
	}
	return a
}

// Knows says whether the texts at a name, or the names of an address in its reversed form,
// are in the cache: whoever asks for several things at once need not begin a goroutine for
// what is answered without waiting.
func (r *Resolver) Knows(name string) bool {
	if !r.On() {
		return true
	}
	name = Name(name)
	typ := dns.TypeTXT
	if strings.HasSuffix(name, ".arpa") {
		typ = dns.TypePTR
	}
	return r.cached(question{name, typ}) != nil
}

func (r *Resolver) keep(q question, a *answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.cache[q]; old != nil {
		r.drop(q, old)
	}
	if len(r.cache) >= maxNames || r.size+a.size > maxOctets {
		now := r.clock()
		for k, old := range r.cache {
			if !now.Before(old.until) || len(r.cache) > maxNames*9/10 || r.size > maxOctets*9/10 {
				r.drop(k, old)
			}
		}
	}
	r.cache[q] = a
	r.size += a.size
}

// drop holds r.mu.
func (r *Resolver) drop(q question, a *answer) {
	delete(r.cache, q)
	r.size -= a.size
}

// Forget empties the cache.
func (r *Resolver) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.cache)
	r.size = 0
}

var errSilent = errors.New("the resolver had no answer in time")

func (r *Resolver) lookUp(ctx context.Context, q question) *answer {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(q.name), q.typ)
	m.SetEdns0(1232, true)
	m.AuthenticatedData = true
	res, err := r.exchange(ctx, m)
	if err != nil {
		if t, ok := err.(net.Error); ok && t.Timeout() && ctx.Err() == nil {
			err = errSilent // senders read this: our resolver's address says nothing to them
		}
		return r.fault(fmt.Errorf("%w: %s: %w", ErrTemp, q.name, err))
	}
	switch res.Rcode {
	case dns.RcodeSuccess, dns.RcodeNameError:
		return r.read(q, res)
	case dns.RcodeServerFailure:
		// A validating resolver answers so when validation fails. Asked not to validate,
		// it tells one from the other (RFC 4035 section 3.2.2).
		m.CheckingDisabled = true
		if again, err := r.exchange(ctx, m); r.secure && err == nil && again.Rcode != dns.RcodeServerFailure {
			return r.fault(fmt.Errorf("%w: %s", ErrBogus, q.name))
		}
	}
	return r.fault(fmt.Errorf("%w: %s: %s", ErrTemp, q.name, dns.RcodeToString[res.Rcode]))
}

func (r *Resolver) fault(err error) *answer {
	return &answer{err: err, until: r.clock().Add(badTTL)}
}

// read takes the records asked for, at the end of the CNAMEs.
func (r *Resolver) read(q question, res *dns.Msg) *answer {
	a := &answer{info: Info{Secure: res.AuthenticatedData && r.secure, Name: q.name, TTL: maxTTL}, size: res.Len()}
	for range 12 {
		next := ""
		for _, rr := range res.Answer {
			if c, ok := rr.(*dns.CNAME); ok && Name(c.Hdr.Name) == a.info.Name && q.typ != dns.TypeCNAME {
				next = Name(c.Target)
				a.info.TTL = min(a.info.TTL, time.Duration(c.Hdr.Ttl)*time.Second)
			}
		}
		if next == "" {
			break
		}
		a.info.Name = next
	}
	for _, rr := range res.Answer {
		if h := rr.Header(); h.Rrtype == q.typ && Name(h.Name) == a.info.Name {
			a.rrs = append(a.rrs, rr)
			a.info.TTL = min(a.info.TTL, time.Duration(h.Ttl)*time.Second)
		}
	}
	if len(a.rrs) == 0 {
		a.err = ErrNone
		if res.Rcode == dns.RcodeNameError {
			a.err = ErrName
		}
		a.info.TTL = time.Minute
		for _, rr := range res.Ns {
			if soa, ok := rr.(*dns.SOA); ok {
				a.info.TTL = min(time.Duration(min(soa.Hdr.Ttl, soa.Minttl))*time.Second, 10*time.Minute)
			}
		}
	}
	a.info.TTL = min(max(a.info.TTL, minTTL), maxTTL)
	a.until = r.clock().Add(a.info.TTL)
	return a
}

// exchange asks over UDP, and over TCP what does not fit.
func (r *Resolver) exchange(ctx context.Context, m *dns.Msg) (res *dns.Msg, err error) {
	for range tries {
		c := dns.Client{Timeout: wait, UDPSize: 1232}
		res, _, err = c.ExchangeContext(ctx, m, r.server)
		if err == nil && res.Truncated {
			c.Net = "tcp"
			res, _, err = c.ExchangeContext(ctx, m, r.server)
		}
		if err == nil || ctx.Err() != nil {
			return res, err
		}
	}
	return nil, err
}
