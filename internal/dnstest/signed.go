package dnstest

import (
	"crypto"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Signed is an authoritative server with one zone signed by DNSSEC, for a validating
// resolver in front of it (peers.Unbound). Names outside that zone it serves unsigned. It
// signs each answer when it is asked; what does not exist it denies with a record of its
// own for each name (RFC 9824).
type Signed struct {
	Addr   string // HOST:PORT
	Anchor string // the zone's DNSKEY, as a trust anchor

	t    testing.TB
	zone *Zone // the records; its own server is not asked
	apex string
	key  *dns.DNSKEY
	sign crypto.Signer

	mu     sync.Mutex
	spoilt map[string]bool
}

// NewSigned serves records of the form that [New] takes until the test ends, those at apex
// and below it signed.
func NewSigned(t testing.TB, apex, records string) *Signed {
	t.Helper()
	apex = key(apex)
	s := &Signed{t: t, apex: apex, zone: &Zone{t: t, faults: map[string]fault{}, asked: map[string]int{}}, spoilt: map[string]bool{}}
	s.key = &dns.DNSKEY{
		Hdr:   dns.RR_Header{Name: apex, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 60},
		Flags: dns.ZONE | dns.SEP, Protocol: 3, Algorithm: dns.ECDSAP256SHA256,
	}
	private, err := s.key.Generate(256)
	if err != nil {
		t.Fatal(err)
	}
	s.sign = private.(crypto.Signer)
	s.Anchor = s.key.String()
	s.zone.Set(records)
	s.zone.AddRR(s.key,
		&dns.SOA{Hdr: dns.RR_Header{Name: apex, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: "ns." + apex, Mbox: "root." + apex,
			Serial: 1, Refresh: 60, Retry: 60, Expire: 60, Minttl: 1},
		&dns.NS{Hdr: dns.RR_Header{Name: apex, Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 60}, Ns: "ns." + apex})
	tcp, udp := listen(t)
	s.Addr = tcp.Addr().String()
	for _, srv := range []*dns.Server{{Listener: tcp, Handler: s}, {PacketConn: udp, Handler: s}} {
		up, over := make(chan struct{}), make(chan struct{})
		srv.NotifyStartedFunc = func() { close(up) }
		go func() {
			defer close(over)
			srv.ActivateAndServe()
		}()
		<-up
		t.Cleanup(func() {
			srv.Shutdown()
			<-over
		})
	}
	return s
}

// Add adds records.
func (s *Signed) Add(records string) { s.zone.Add(records) }

// Spoil makes all signatures over a name's records out of date by days.
func (s *Signed) Spoil(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoilt[key(name)] = true
}

// ServeDNS answers one question.
func (s *Signed) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := s.answer(q)
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = max(size, int(o.UDPSize()))
		}
		m.Truncate(size)
	}
	w.WriteMsg(m)
}

func (s *Signed) answer(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.Authoritative = true
	if o := q.IsEdns0(); o != nil {
		m.SetEdns0(1232, o.Do())
	}
	if len(q.Question) != 1 {
		m.Rcode = dns.RcodeFormatError
		return m
	}
	name, typ := key(q.Question[0].Name), q.Question[0].Qtype
	s.zone.mu.Lock()
	found, exists := s.zone.find(name, typ)
	types := s.types(name)
	s.zone.mu.Unlock()
	if len(found) > 0 {
		m.Answer = s.signed(found)
		return m
	}
	if !dns.IsSubDomain(s.apex, name) {
		if !exists {
			m.Rcode = dns.RcodeNameError
		}
		return m
	}
	s.zone.mu.Lock()
	soa, _ := s.zone.find(s.apex, dns.TypeSOA)
	s.zone.mu.Unlock()
	m.Ns = append(s.signed(soa), s.signed([]dns.RR{&dns.NSEC{
		Hdr:        dns.RR_Header{Name: name, Rrtype: dns.TypeNSEC, Class: dns.ClassINET, Ttl: 1},
		NextDomain: `\000.` + name, TypeBitMap: types,
	}})...)
	return m
}

// types are those at a name, for the record that denies others; zone.mu is held.
func (s *Signed) types(name string) []uint16 {
	out := []uint16{dns.TypeRRSIG, dns.TypeNSEC}
	for _, rr := range s.zone.records[name] {
		if t := rr.Header().Rrtype; !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}

// signed puts a signature behind records of one name and type, when they are in the zone.
func (s *Signed) signed(rrs []dns.RR) []dns.RR {
	out := slices.Clone(rrs)
	name := key(rrs[0].Header().Name)
	if !dns.IsSubDomain(s.apex, name) {
		return out
	}
	now := time.Now()
	sig := &dns.RRSIG{
		Hdr:       dns.RR_Header{Ttl: rrs[0].Header().Ttl},
		Algorithm: s.key.Algorithm, KeyTag: s.key.KeyTag(), SignerName: s.apex,
		Inception: uint32(now.Add(-time.Hour).Unix()), Expiration: uint32(now.Add(time.Hour).Unix()),
	}
	s.mu.Lock()
	if s.spoilt[name] {
		sig.Inception, sig.Expiration = sig.Inception-5*86400, sig.Expiration-5*86400
	}
	s.mu.Unlock()
	if err := sig.Sign(s.sign, out); err != nil {
		s.t.Errorf("signing %s: %v", name, err)
	}
	return append(out, sig)
}
