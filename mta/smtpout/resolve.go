package smtpout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"sampul/internal/dns"
)

// A route is the hosts of a destination, in the order in which they are tried.
type route struct {
	base  base
	hosts []string
	port  int
	addrs []netip.Addr // of the one host, when it is an address itself
	unix  string
}

// resolve finds the hosts of a hop.
func (p *Pool) resolve(ctx context.Context, hop Hop, m *Message) (*route, *fault) {
	if hop.Host != "" {
		return p.fixed(ctx, hop, m)
	}
	domain, err := idna.Lookup.ToASCII(dns.Name(hop.Domain))
	if err != nil || ascii(hop.Domain) {
		domain = dns.Name(hop.Domain) // names with underscores and the like are asked for as they are
	}
	hop.Domain = domain
	if lit, ok := strings.CutPrefix(domain, "["); ok { // RFC 5321 section 4.1.3
		ip, err := netip.ParseAddr(strings.TrimPrefix(strings.TrimSuffix(lit, "]"), "ipv6:"))
		if err != nil {
			return nil, unroutable("5.1.2", "%s is no address", hop.Domain)
		}
		return &route{base: p.base(ctx, hop, m, true, false), hosts: []string{ip.String()}, addrs: []netip.Addr{ip.Unmap()}, port: p.RemotePort}, nil
	}
	hosts, secure, f := p.exchangers(ctx, domain)
	if f != nil {
		return nil, f
	}
	r := &route{base: p.base(ctx, hop, m, true, secure), hosts: hosts, port: p.RemotePort}
	r.base.tlsaPort = 25 // where TLSA records stand, wherever the demo connects to
	return r, nil
}

// fixed is a route to a smarthost or LMTP server that was configured.
func (p *Pool) fixed(ctx context.Context, hop Hop, m *Message) (*route, *fault) {
	// A name from the configuration is as good as one from a signed zone.
	r := &route{base: p.base(ctx, hop, m, false, true)}
	if path, ok := strings.CutPrefix(hop.Host, "unix:"); ok {
		r.unix, r.hosts = path, []string{"localhost"}
		if m.RequireTLS {
			r.base.requireTLS = false // it does not leave the machine
		}
		return r, nil
	}
	host, port, err := net.SplitHostPort(hop.Host)
	n, perr := strconv.Atoi(port)
	if err != nil || perr != nil || n < 1 || n > 65535 || host == "" {
		return nil, &fault{stage: StageDNS, code: 451, enhanced: "4.3.5", text: fmt.Sprintf("the next server is set to %q, which is not HOST:PORT", hop.Host)}
	}
	r.hosts, r.port = []string{host}, n
	r.base.tlsaPort = n
	if ip, err := netip.ParseAddr(host); err == nil {
		r.addrs = []netip.Addr{ip.Unmap()}
	}
	return r, nil
}

// exchangers are the hosts of a domain, RFC 5321 section 5.1: by preference, in random order
// among equals; the domain itself when it has no MX.
func (p *Pool) exchangers(ctx context.Context, domain string) (hosts []string, secure bool, f *fault) {
	mx, info, err := p.Resolver.MX(ctx, domain)
	switch {
	case errors.Is(err, dns.ErrNone):
		if p.self(domain, netip.Addr{}) {
			return nil, false, loop(domain)
		}
		return []string{domain}, info.Secure, nil
	case err != nil:
		return nil, false, unresolved("the exchangers of "+domain, err)
	}
	mx = slices.DeleteFunc(mx, func(m dns.MX) bool { return m.Host == "" })
	if len(mx) == 0 { // RFC 7505
		return nil, false, unroutable("5.1.10", "%s takes no mail (null MX)", domain)
	}
	rand.Shuffle(len(mx), func(i, j int) { mx[i], mx[j] = mx[j], mx[i] })
	slices.SortStableFunc(mx, func(a, b dns.MX) int { return int(a.Pref) - int(b.Pref) })
	for _, m := range mx {
		if p.self(m.Host, netip.Addr{}) {
			// Those before us count; those behind us would send it back to us.
			mx = slices.DeleteFunc(mx, func(o dns.MX) bool { return o.Pref >= m.Pref })
			break
		}
	}
	if len(mx) == 0 {
		return nil, false, loop(domain)
	}
	for _, m := range mx {
		if !slices.Contains(hosts, m.Host) {
			hosts = append(hosts, m.Host)
		}
	}
	return hosts, info.Secure, nil
}

func (p *Pool) self(host string, ip netip.Addr) bool { return p.Self != nil && p.Self(host, ip) }

func loop(domain string) *fault {
	return unroutable("5.4.6", "mail for %s loops back to ourselves: its exchanger is this server, which does not have the domain", domain)
}

func unroutable(enhanced, format string, args ...any) *fault {
	return &fault{stage: StageDNS, code: 550, enhanced: enhanced, permanent: true, text: fmt.Sprintf(format, args...)}
}

func unresolved(what string, err error) *fault {
	return &fault{stage: StageDNS, code: 451, enhanced: "4.4.3", text: what + " could not be had: " + printable(err.Error()), err: err}
}

// endpoints are the addresses of one host, and what each must give.
func (p *Pool) endpoints(ctx context.Context, r *route, host string, source netip.Addr) ([]*endpoint, *fault) {
	if r.unix != "" {
		return []*endpoint{{host: host, unix: r.unix}}, nil
	}
	addrs, name, secure := r.addrs, "", false
	if addrs == nil {
		var info dns.Info
		var err error
		addrs, info, err = p.Resolver.IPs(ctx, host)
		if errors.Is(err, dns.ErrOff) && !r.base.mx {
			addrs, err = systemIPs(ctx, host)
		}
		name, secure = info.Name, info.Secure
		switch {
		case errors.Is(err, dns.ErrNone) && r.base.mx && host == r.base.domain:
			return nil, unroutable("5.1.2", "%s has neither an exchanger nor an address", host)
		case errors.Is(err, dns.ErrNone) && r.base.mx:
			return nil, unroutable("5.4.4", "the exchanger %s has no address", host)
		case errors.Is(err, dns.ErrNone): // of our own configuration
			return nil, unresolved("the address of "+host, err)
		case err != nil:
			return nil, unresolved("the address of "+host, err)
		}
	}
	addrs, f := p.allowed(r, host, addrs, source)
	if f != nil {
		return nil, f
	}
	d, f := p.demandOf(ctx, r.base, host, name, secure)
	if f != nil {
		if d.why != "" {
			f.tls = "required by " + d.why
		}
		p.reportPolicy(&d, host, f)
		return nil, f
	}
	out := make([]*endpoint, len(addrs))
	for i, a := range addrs {
		out[i] = &endpoint{host: host, addr: netip.AddrPortFrom(a, uint16(r.port)), security: d}
	}
	return out, nil
}

// systemIPs asks the system: an installation without a resolver of its own may name its
// smarthost in /etc/hosts.
func systemIPs(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", dns.ErrTemp, plain(err))
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, nil
}

// allowed takes out addresses that mail must not be sent to, and those of the other kind
// than the source, and puts IPv6 and IPv4 in turns.
func (p *Pool) allowed(r *route, host string, addrs []netip.Addr, source netip.Addr) ([]netip.Addr, *fault) {
	var six, four []netip.Addr
	bad, other := 0, 0
	for _, a := range addrs {
		a = a.Unmap()
		switch {
		case r.base.mx && !p.AllowLoopback && a.IsLoopback(), r.base.mx && unusable(a):
			bad++
		case r.base.mx && p.self(host, a):
			return nil, loop(r.base.domain)
		case source.IsValid() && source.Unmap().Is4() != a.Is4():
			other++
		case a.Is4():
			four = append(four, a)
		default:
			six = append(six, a)
		}
	}
	var out []netip.Addr
	for i := range max(len(six), len(four)) {
		if i < len(six) {
			out = append(out, six[i])
		}
		if i < len(four) {
			out = append(out, four[i])
		}
	}
	switch {
	case len(out) > 0:
		return out, nil
	case other > 0:
		return nil, &fault{stage: StageConnect, code: 451, enhanced: "4.4.4", text: fmt.Sprintf("%s cannot be reached from %s: it has no address of that kind", host, source)}
	}
	return nil, unroutable("5.4.4", "%s has only addresses that mail is not sent to (loopback and the like)", host)
}

// unusable are addresses that no server of others can have.
func unusable(a netip.Addr) bool {
	return a.IsUnspecified() || a.IsMulticast() || a.Is4() && a.As4()[0] == 0 || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
