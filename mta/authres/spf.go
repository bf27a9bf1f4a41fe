package authres

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"blitiri.com.ar/go/spf"

	"sampul/internal/dns"
)

// checkSPF evaluates the reverse-path, or the HELO name where that is null (RFC 7208
// section 2.4). The library holds the limits of section 4.6.4: ten terms that ask DNS, two
// that find nothing.
func (c *Checker) checkSPF(ctx context.Context, m *Mail) SPF {
	out := SPF{Scope: "mailfrom", Domain: domainOf(m.From)}
	sender := m.From
	if m.From == "" {
		out.Scope, out.Domain = "helo", dns.Name(m.HELO)
		sender = "postmaster@" + m.HELO
	}
	if !strings.Contains(out.Domain, ".") || strings.HasPrefix(out.Domain, "[") {
		out.Result, out.Reason = None, "no domain to ask about"
		return out
	}
	out.Result, out.Reason = evaluate(ctx, c.dns, m.IP, m.HELO, sender)
	return out
}

func evaluate(ctx context.Context, r *dns.Resolver, ip netip.Addr, helo, sender string) (Result, string) {
	res, err := spf.CheckHostWithSender(net.IP(ip.Unmap().AsSlice()), helo, sender,
		spf.WithContext(ctx), spf.WithResolver(spfResolver{r}))
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	switch res {
	case spf.None, spf.Pass, spf.Fail, spf.SoftFail, spf.Neutral, spf.PermError:
		if ctx.Err() != nil && res == spf.PermError {
			break
		}
		return Result(res), reason
	}
	return TempError, "DNS did not answer" // how is for the log: it names our resolver
}

// spfResolver gives the library our look-ups with the errors that it knows: no record is
// a void look-up, and whatever else goes wrong is temporary.
type spfResolver struct{ r *dns.Resolver }

func spfError(name string, err error) error {
	if err == nil {
		return nil
	}
	none := errors.Is(err, dns.ErrNone)
	return &net.DNSError{Err: err.Error(), Name: name, IsNotFound: none, IsTemporary: !none, IsTimeout: !none}
}

func (s spfResolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	txts, _, err := s.r.TXT(ctx, name)
	return txts, spfError(name, err)
}

func (s spfResolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	mxs, _, err := s.r.MX(ctx, name)
	var out []*net.MX
	for _, mx := range mxs {
		host := mx.Host
		if host == "" {
			host = "." // a null MX: the name has no address
		}
		out = append(out, &net.MX{Host: host, Pref: mx.Pref})
	}
	return out, spfError(name, err)
}

func (s spfResolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	ips, _, err := s.r.IPs(ctx, host)
	var out []net.IPAddr
	for _, ip := range ips {
		out = append(out, net.IPAddr{IP: ip.AsSlice()})
	}
	return out, spfError(host, err)
}

func (s spfResolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, spfError(addr, dns.ErrNone)
	}
	names, _, err := s.r.PTR(ctx, ip)
	return names, spfError(addr, err)
}

// maxNames bounds the reverse names of one address that are looked at.
const maxNames = 10

// checkIPRev looks for a name of the address that leads back to it (RFC 8601 section 3).
func (c *Checker) checkIPRev(ctx context.Context, ip netip.Addr) (Result, string) {
	ip = ip.Unmap()
	names, _, err := c.dns.PTR(ctx, ip)
	switch {
	case errors.Is(err, dns.ErrNone):
		return PermError, ""
	case err != nil:
		return TempError, ""
	}
	result := Fail
	for _, name := range names[:min(len(names), maxNames)] {
		ips, _, err := c.dns.IPs(ctx, name)
		if err != nil && !errors.Is(err, dns.ErrNone) {
			result = TempError
		}
		for _, back := range ips {
			if back.Unmap() == ip {
				return Pass, name
			}
		}
	}
	return result, ""
}

// domainOf is the part after the last @, as in DNS.
func domainOf(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return aLabels(address[i+1:])
	}
	return ""
}
