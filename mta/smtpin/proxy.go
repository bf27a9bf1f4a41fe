package smtpin

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/pires/go-proxyproto"
)

// proxyTime is how long a PROXY header may take: it is sent with the first segment.
const proxyTime = 5 * time.Second

// proxied reads the PROXY header (HAProxy's protocol, versions 1 and 2) that begins each
// connection of such a listener. LOCAL and UNKNOWN keep the address of the proxy itself, but
// not what that address may: the proxy does not say for whom it asks.
func (s *session) proxied() error {
	c := proxyproto.NewConn(s.raw, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(proxyTime))
	h := c.ProxyHeader()
	if h == nil {
		_, err := c.Read(nil) // says what was wrong with it
		if err == nil {
			err = errors.New("no PROXY header")
		}
		return err
	}
	s.raw = c
	s.wrap(c)
	s.peer, s.trusted = netip.Addr{}, false
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil || h.Command.IsLocal() || h.SourceAddr == nil { // err: a Unix socket behind the proxy
		return nil
	}
	s.ip, s.port = plainAddr(ap.Addr()), ap.Port()
	s.peer = s.ip
	s.trusted = within(s.srv.cfg.Trusted, s.ip)
	return nil
}

// within says whether an address is in one of the networks.
func within(networks []netip.Prefix, ip netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// remote is the other side of a connection; the zero address on a Unix socket.
func remote(a net.Addr) (netip.Addr, uint16) {
	if v, ok := a.(*net.TCPAddr); ok {
		ap := v.AddrPort()
		return plainAddr(ap.Addr()), ap.Port()
	}
	return netip.Addr{}, 0
}

// plainAddr is an address as networks are compared with it.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
