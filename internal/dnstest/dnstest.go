// Package dnstest is a DNS server for tests: it answers on loopback, over UDP and TCP,
// from a zone given as text, as a resolver would answer that knows the whole world.
//
// Records can change while it runs, and single names can fail, be silent, or look like
// one whose DNSSEC validation fails. Names, records and faults may be set by any goroutine.
package dnstest

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// A Zone is a server and what it knows.
type Zone struct {
	Addr string // HOST:PORT, for dns.New

	t       testing.TB
	mu      sync.Mutex
	records map[string][]dns.RR // by owner, lower case with the last dot
	parents map[string]bool     // names with something below them: they exist
	faults  map[string]fault
	secure  bool
	asked   map[string]int
}

type fault uint8

const (
	works fault = iota
	servfail
	silent
	bogus
)

// Serve answers from the zone until the test ends, and gives the address to ask.
func Serve(t testing.TB, zone string) (addr string) { return New(t, zone).Addr }

// New is Serve for those who change something later. The zone is in the form of master
// files (RFC 1035 section 5); names are absolute with or without a last dot, and a TTL
// that is left out is 60 seconds.
func New(t testing.TB, zone string) *Zone {
	t.Helper()
	z := &Zone{t: t, faults: map[string]fault{}, asked: map[string]int{}}
	z.Set(zone)
	tcp, udp := listen(t)
	z.Addr = tcp.Addr().String()
	for _, s := range []*dns.Server{{Listener: tcp, Handler: z}, {PacketConn: udp, Handler: z}} {
		up, over := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		go func() {
			defer close(over)
			s.ActivateAndServe()
		}()
		<-up
		t.Cleanup(func() {
			s.Shutdown()
			<-over
		})
	}
	return z
}

// listen takes one port for both.
func listen(t testing.TB) (net.Listener, net.PacketConn) {
	t.Helper()
	var err error
	for range 50 {
		tcp, e := net.Listen("tcp", "127.0.0.1:0")
		if e != nil {
			t.Fatal(e)
		}
		udp, e := net.ListenPacket("udp", tcp.Addr().String())
		if e == nil {
			return tcp, udp
		}
		tcp.Close()
		err = e
	}
	t.Fatalf("no port is free for both UDP and TCP: %v", err)
	return nil, nil
}

func parse(t testing.TB, zone string) []dns.RR {
	t.Helper()
	p := dns.NewZoneParser(strings.NewReader("$TTL 60\n"+zone+"\n"), ".", "")
	var out []dns.RR
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		out = append(out, rr)
	}
	if err := p.Err(); err != nil {
		t.Fatalf("zone: %v", err)
	}
	return out
}

// key is a name as it stands in questions: lower case, odd octets always written alike.
func key(name string) string {
	var wire [256]byte
	name = strings.ToLower(dns.Fqdn(name))
	if n, err := dns.PackDomainName(name, wire[:], 0, nil, false); err == nil {
		if again, _, err := dns.UnpackDomainName(wire[:n], 0); err == nil {
			return again
		}
	}
	return name
}

// Set replaces all records.
func (z *Zone) Set(zone string) {
	z.t.Helper()
	rrs := parse(z.t, zone)
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records = map[string][]dns.RR{}
	z.add(rrs)
}

// Add adds records.
func (z *Zone) Add(zone string) {
	z.t.Helper()
	rrs := parse(z.t, zone)
	z.mu.Lock()
	defer z.mu.Unlock()
	z.add(rrs)
}

// AddRR adds records that master files cannot hold, such as TXT with any octets.
func (z *Zone) AddRR(rrs ...dns.RR) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.add(rrs)
}

// Remove takes away all records of a name.
func (z *Zone) Remove(name string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	delete(z.records, key(name))
	z.index()
}

func (z *Zone) add(rrs []dns.RR) {
	for _, rr := range rrs {
		k := key(rr.Header().Name)
		z.records[k] = append(z.records[k], rr)
	}
	z.index()
}

func (z *Zone) index() {
	z.parents = map[string]bool{}
	for name := range z.records {
		for i, end := dns.NextLabel(name, 0); !end; i, end = dns.NextLabel(name, i) {
			z.parents[name[i:]] = true
		}
	}
}

// Fail answers SERVFAIL for the name from now on, Silent nothing at all, Bogus SERVFAIL
// unless validation is switched off, as a validating resolver does; Works ends each.
// The name "*" is all names.
func (z *Zone) Fail(name string)   { z.set(name, servfail) }
func (z *Zone) Silent(name string) { z.set(name, silent) }
func (z *Zone) Bogus(name string)  { z.set(name, bogus) }
func (z *Zone) Works(name string)  { z.set(name, works) }

func (z *Zone) set(name string, f fault) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.faults[key(name)] = f
}

// Secure sets the AD bit in all answers from now on, or no more.
func (z *Zone) Secure(on bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.secure = on
}

// Asked is how many questions came for the name, of any type; "" is for all names.
func (z *Zone) Asked(name string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	if name != "" {
		return z.asked[key(name)]
	}
	n := 0
	for _, v := range z.asked {
		n += v
	}
	return n
}

// ServeDNS answers one question.
func (z *Zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := z.answer(q)
	if m == nil {
		return
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = max(size, int(o.UDPSize()))
		}
		m.Truncate(size)
	}
	w.WriteMsg(m)
}

func (z *Zone) answer(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	if len(q.Question) != 1 {
		m.Rcode = dns.RcodeFormatError
		return m
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	name := key(q.Question[0].Name)
	z.asked[name]++
	for range 9 {
		switch z.fault(name) {
		case servfail:
			return z.failed(q)
		case silent:
			return nil
		case bogus:
			if !q.CheckingDisabled {
				return z.failed(q)
			}
		}
		found, exists := z.find(name, q.Question[0].Qtype)
		if !exists {
			m.Rcode = dns.RcodeNameError
		}
		m.Answer = append(m.Answer, found...)
		alias, ok := first[*dns.CNAME](found)
		if !ok || q.Question[0].Qtype == dns.TypeCNAME {
			if len(found) == 0 {
				m.Ns = append(m.Ns, &dns.SOA{
					Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 1},
					Ns:  "ns.test.", Mbox: "root.test.", Serial: 1, Refresh: 1, Retry: 1, Expire: 1, Minttl: 1,
				})
			}
			m.AuthenticatedData = z.secure && !q.CheckingDisabled
			return m
		}
		name = key(alias.Target)
	}
	return z.failed(q) // a loop
}

func (z *Zone) failed(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	m.RecursionAvailable = true
	return m
}

func (z *Zone) fault(name string) fault {
	if f, ok := z.faults[name]; ok {
		return f
	}
	return z.faults["*."]
}

// find gives the records of a type at a name, or the CNAME there; a wildcard stands for
// names that are not there (RFC 4592, for one label and more).
func (z *Zone) find(name string, typ uint16) (found []dns.RR, exists bool) {
	rrs, ok := z.records[name]
	if !ok && !z.parents[name] {
		for i, end := dns.NextLabel(name, 0); !end && !ok; i, end = dns.NextLabel(name, i) {
			rrs, ok = z.records["*."+name[i:]]
			if z.parents[name[i:]] || z.records[name[i:]] != nil {
				break
			}
		}
	}
	for _, rr := range rrs {
		if t := rr.Header().Rrtype; t == typ || t == dns.TypeCNAME {
			c := dns.Copy(rr)
			c.Header().Name = name
			found = append(found, c)
		}
	}
	return found, ok || z.parents[name]
}

func first[T any](rrs []dns.RR) (T, bool) {
	for _, rr := range rrs {
		if v, ok := rr.(T); ok {
			return v, true
		}
	}
	var none T
	return none, false
}
