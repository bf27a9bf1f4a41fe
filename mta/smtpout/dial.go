package smtpout

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"
)

// An endpoint is one address to connect to.
type endpoint struct {
	host     string         // name of the exchanger or smarthost, for people and certificates
	addr     netip.AddrPort // zero for a Unix socket
	unix     string
	security demand
	brief    bool // others may be quicker: its greeting is not waited for to the end
	again    bool // waited for briefly before
}

func (e *endpoint) String() string {
	if e.unix != "" {
		return "unix:" + e.unix
	}
	port := e.addr.String()[strings.LastIndexByte(e.addr.String(), ':'):]
	return e.host + "[" + e.addr.Addr().String() + "]" + port
}

func (e *endpoint) network() (network, address string) {
	if e.unix != "" {
		return "unix", e.unix
	}
	return "tcp", e.addr.String()
}

// DialFunc connects; source is the zero Addr for the system's choice.
type DialFunc func(ctx context.Context, network, address string, source netip.Addr) (net.Conn, error)

func dialNet(ctx context.Context, network, address string, source netip.Addr) (net.Conn, error) {
	d := net.Dialer{KeepAlive: 15 * time.Second}
	if source.IsValid() && network == "tcp" {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	}
	return d.DialContext(ctx, network, address)
}
