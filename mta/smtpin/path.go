package smtpin

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// mailArgs is MAIL's argument, read.
type mailArgs struct {
	from       string // "" for the null reverse-path
	size       int64  // -1 when it was not given
	eightBit   bool
	utf8       bool
	requireTLS bool
	ret        string // RFC 3461, "" when it was not given
	envID      string // in xtext, as it came
}

// parseMail reads what follows MAIL (RFC 5321 section 4.1.1.2). REQUIRETLS is known
// under TLS alone (RFC 8689 section 4.1).
func parseMail(arg string, tls bool) (mailArgs, error) {
	a := mailArgs{size: -1}
	rest, found := cutFold(arg, "FROM:")
	if !found {
		return a, errSyntax
	}
	path, params, err := parsePath(rest, true)
	if err == errPath {
		return a, errBadSender
	} else if err != nil {
		return a, err
	}
	a.from = path
	for key, value := range params {
		if err := a.param(key, value, tls); err != nil {
			return a, err
		}
	}
	if !a.utf8 && !ascii(path) {
		return a, errUTF8
	}
	return a, nil
}

// param takes one parameter of MAIL.
func (a *mailArgs) param(key, value string, tls bool) error {
	switch key {
	case "SIZE": // RFC 1870
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 || len(value) > 20 {
			return errSyntax
		}
		a.size = n
	case "BODY": // RFC 6152
		switch strings.ToUpper(value) {
		case "7BIT":
		case "8BITMIME":
			a.eightBit = true
		default:
			return errParameter
		}
	case "SMTPUTF8": // RFC 6531 section 3.4: no value
		if value != "" {
			return errSyntax
		}
		a.utf8 = true
	case "AUTH": // RFC 4954 section 5; we trust nobody's word for it
	case "RET": // RFC 3461 section 4.3
		a.ret = strings.ToUpper(value)
		if a.ret != "FULL" && a.ret != "HDRS" {
			return errSyntax
		}
	case "ENVID":
		if !validEnvID(value) {
			return errSyntax
		}
		a.envID = value
	case "REQUIRETLS":
		if !tls {
			return errParameter
		}
		if value != "" {
			return errSyntax
		}
		a.requireTLS = true
	default:
		return errParameter
	}
	return nil
}

// rcptArgs is RCPT's argument, read.
type rcptArgs struct {
	to            string
	notify, orcpt string // RFC 3461, "" when they were not given; ORCPT as it came
}

// parseRcpt reads what follows RCPT (RFC 5321 section 4.1.1.3).
func parseRcpt(arg string, utf8 bool) (rcptArgs, error) {
	var a rcptArgs
	rest, found := cutFold(arg, "TO:")
	if !found {
		return a, errSyntax
	}
	path, params, err := parsePath(rest, false)
	if err == errPath {
		return a, errBadRecipient
	} else if err != nil {
		return a, err
	}
	a.to = path
	for key, value := range params {
		ok := true
		switch key {
		case "NOTIFY":
			a.notify, ok = readNotify(value)
		case "ORCPT":
			a.orcpt, ok = value, validORcpt(value, utf8)
		default:
			return a, errParameter
		}
		if !ok {
			return a, errSyntax
		}
	}
	if !utf8 && !ascii(path) {
		return a, errUTF8
	}
	return a, nil
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// errPath is a path that is none; what is wrong with parameters is said otherwise.
var errPath = errors.New("malformed path")

// parsePath reads <path> and its parameters. Blanks before the path are taken, as
// all servers do; a source route is passed over (RFC 5321 appendix C).
func parsePath(s string, null bool) (path string, params map[string]string, err error) {
	s = strings.TrimLeft(s, " ")
	if !strings.HasPrefix(s, "<") {
		return "", nil, errPath
	}
	end := pathEnd(s)
	if end < 0 {
		return "", nil, errPath
	}
	inner, rest := s[1:end], s[end+1:]
	if strings.HasPrefix(inner, "@") {
		_, after, ok := strings.Cut(inner, ":")
		if !ok {
			return "", nil, errPath
		}
		inner = after
	}
	if params, err = parseParams(rest); err != nil {
		return "", nil, err
	}
	switch {
	case inner == "" && null:
		return "", params, nil
	case strings.EqualFold(inner, "postmaster") && !null: // RFC 5321 section 4.5.1
		return "postmaster", params, nil
	case !validAddress(inner):
		return "", nil, errPath
	}
	return unquote(inner), params, nil
}

// pathEnd finds the closing bracket outside of quotes.
func pathEnd(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '>' && !quoted:
			return i
		}
	}
	return -1
}

// maxParams bounds the parameters of a command: more than any extension defines.
const maxParams = 16

func parseParams(s string) (map[string]string, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != ' ' {
		return nil, errSyntax
	}
	out := map[string]string{}
	for _, word := range strings.Fields(s) {
		key, value, has := strings.Cut(word, "=")
		key = strings.ToUpper(key)
		if _, twice := out[key]; twice || key == "" || has && value == "" || len(out) >= maxParams {
			return nil, errSyntax
		}
		out[key] = value
	}
	return out, nil
}

// validAddress is Mailbox of RFC 5321 section 4.1.2, with RFC 6531's letters.
func validAddress(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 || len(s) > 254 || !utf8.ValidString(s) {
		return false
	}
	return validLocal(s[:at]) && validDomain(s[at+1:])
}

func validLocal(s string) bool {
	if s[0] == '"' {
		return validQuoted(s)
	}
	last := byte('.')
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '.' && last == '.' {
			return false
		}
		if c != '.' && c < utf8.RuneSelf && !atext(c) {
			return false
		}
		last = c
	}
	return last != '.'
}

func atext(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func validQuoted(s string) bool {
	if len(s) < 3 || s[len(s)-1] != '"' {
		return false
	}
	for i := 1; i < len(s)-1; i++ {
		switch c := s[i]; {
		case c == '\\':
			if i++; i == len(s)-1 || s[i] < ' ' || s[i] > '~' {
				return false
			}
		case c == '"' || c < ' ' || c == 127:
			return false
		}
	}
	return true
}

// unquote writes a local part without quotes where it can stand so.
func unquote(address string) string {
	at := strings.LastIndexByte(address, '@')
	if address[0] != '"' {
		return address
	}
	plain := strings.ReplaceAll(address[1:at-1], `\`, "")
	if plain != "" && plain[0] != '"' && validLocal(plain) {
		return plain + address[at:]
	}
	return address
}

func validDomain(s string) bool {
	if strings.HasPrefix(s, "[") {
		return validLiteral(s)
	}
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63*4 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := 0; i < len(label); i++ {
			c := label[i]
			if c < utf8.RuneSelf && c != '-' && c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}

// validLiteral is an address literal (RFC 5321 section 4.1.3).
func validLiteral(s string) bool {
	if !strings.HasSuffix(s, "]") {
		return false
	}
	in := s[1 : len(s)-1]
	if six, ok := cutFold(in, "IPv6:"); ok {
		a, err := netip.ParseAddr(six)
		return err == nil && a.Is6() && a.Zone() == ""
	}
	a, err := netip.ParseAddr(in)
	return err == nil && a.Is4()
}
