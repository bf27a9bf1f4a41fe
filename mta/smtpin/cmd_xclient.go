package smtpin

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

	"sampul/store"
)

// xclientNames are the attributes of XCLIENT, as EHLO lists them.
const xclientNames = "NAME ADDR PORT PROTO HELO LOGIN REVERSE_NAME DESTADDR DESTPORT"

// xclient is XCLIENT, as Postfix defines it: a proxy or test program of ours says on
// whose behalf it speaks. The session begins again then, with a greeting.
func (s *session) xclient(ctx context.Context, arg string) error {
	if !s.mayXclient() {
		return reply(550, "5.7.1", "not offered to you")
	}
	a, err := parseXclient(arg)
	if err != nil {
		return err
	}
	account, err := s.xclientLogin(ctx, a.login)
	if err != nil {
		return err
	}
	s.reset()
	s.helo, s.esmtp = "", false
	s.setAccount(account)
	s.mech = ""
	if a.addr.IsValid() {
		s.ip, s.port = a.addr, 0
		s.trusted = within(s.srv.cfg.Trusted, s.ip)
		s.net = netState{}
	}
	if a.port != 0 {
		s.port = a.port
	}
	if a.helo != "" {
		s.helo, s.esmtp = a.helo, a.proto != "SMTP"
	}
	s.log.Info("xclient", "peer", s.peer, "remote", s.ip, "helo", s.helo, "login", a.login)
	if err := s.hooks(ctx, onConnect); err != nil {
		s.over = true
		return err
	}
	return s.greeting()
}

func (s *session) mayXclient() bool { return within(s.srv.cfg.XClient, s.peer) }

// xclientLogin is the account that the proxy has authenticated: on submission alone,
// elsewhere nobody logs in.
func (s *session) xclientLogin(ctx context.Context, login string) (*store.Account, error) {
	if login == "" {
		return nil, nil
	}
	if !s.submission() {
		return nil, reply(501, "5.5.4", "LOGIN is for submission")
	}
	found, err := s.srv.deps.Store.Resolve(ctx, login)
	if err != nil {
		return nil, err
	}
	if found.Account == nil || !found.Account.Active() {
		return nil, reply(535, "5.7.8", "that account cannot send")
	}
	return found.Account, nil
}

// xclientArgs is XCLIENT's argument, read. What was not given, or is not available, is zero.
type xclientArgs struct {
	name, reverse string
	addr          netip.Addr
	port          uint16
	proto         string
	helo          string
	login         string
	dest          netip.Addr
	destPort      uint16
}

// parseXclient reads NAME=value pairs with values in xtext; [UNAVAILABLE] and
// [TEMPUNAVAIL] stand for what the proxy does not know.
func parseXclient(arg string) (xclientArgs, error) {
	var a xclientArgs
	words := strings.Fields(arg)
	if len(words) == 0 || len(words) > maxParams {
		return a, errSyntax
	}
	seen := map[string]bool{}
	for _, w := range words {
		key, raw, found := strings.Cut(w, "=")
		value, ok := decodeXtext(raw)
		key = strings.ToUpper(key)
		if !found || !ok || seen[key] {
			return a, errSyntax
		}
		seen[key] = true
		if strings.EqualFold(value, "[UNAVAILABLE]") || strings.EqualFold(value, "[TEMPUNAVAIL]") {
			value = ""
		}
		if !a.set(key, value) {
			return a, reply(501, "5.5.4", "bad "+xclientKey(key)+" attribute")
		}
	}
	return a, nil
}

// xclientKey is a name that can be repeated to the client.
func xclientKey(key string) string {
	for known := range strings.FieldsSeq(xclientNames) {
		if key == known {
			return key
		}
	}
	return "or unknown"
}

func (a *xclientArgs) set(key, value string) (ok bool) {
	switch key {
	case "NAME":
		a.name = value
		return value == "" || validDomain(value)
	case "REVERSE_NAME":
		a.reverse = value
		return value == "" || validDomain(value)
	case "ADDR":
		a.addr, ok = xclientAddr(value)
	case "DESTADDR":
		a.dest, ok = xclientAddr(value)
	case "PORT":
		a.port, ok = xclientPort(value)
	case "DESTPORT":
		a.destPort, ok = xclientPort(value)
	case "PROTO":
		a.proto = strings.ToUpper(value)
		return a.proto == "" || a.proto == "SMTP" || a.proto == "ESMTP"
	case "HELO":
		if value == "" {
			return true
		}
		name, err := heloName(value)
		a.helo = name
		return err == nil
	case "LOGIN":
		a.login = value
		return value == "" || validAddress(value)
	}
	return ok
}

// xclientAddr reads an address, IPv6 ones behind "IPV6:".
func xclientAddr(s string) (netip.Addr, bool) {
	if s == "" {
		return netip.Addr{}, true
	}
	if six, found := cutFold(s, "IPV6:"); found {
		ip, err := netip.ParseAddr(six)
		return ip.Unmap(), err == nil && ip.Is6() && ip.Zone() == ""
	}
	ip, err := netip.ParseAddr(s)
	return ip, err == nil && ip.Is4()
}

func xclientPort(s string) (uint16, bool) {
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && len(s) <= 5
}
