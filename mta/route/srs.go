package route

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"sampul/internal/address"
)

// The Sender Rewriting Scheme: a message that an account here forwards elsewhere carries
// a reverse-path of ours, so that SPF holds, from which the original can be read again
// when it bounces:
//
//	SRS0=HASH=TT=domain=local@ours      was local@domain
//	SRS1=HASH=host==rest@ours           was SRS0=rest@host, of another forwarder
//
// TT is the day, HASH keeps others from making such addresses. Nothing is stored.
type srs struct{ secret []byte }

const (
	srsLife = 21   // days
	srsDays = 1024 // TT has ten bits
	srsHash = 6    // letters: 30 bits, of which each guess costs a refused RCPT
)

var (
	errNotSRS  = errors.New("not an SRS address")
	errForged  = errors.New("this address was not made here")
	errExpired = errors.New("this address was for bounces of a message of long ago")
)

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// tag is n letters that only the holder of secret can make for these parts. Letters' case
// says nothing: some servers change it.
func tag(secret []byte, n int, parts ...string) string {
	h := hmac.New(sha256.New, secret)
	for _, p := range parts {
		h.Write([]byte(strings.ToLower(p)))
		h.Write([]byte{0})
	}
	return letters.EncodeToString(h.Sum(nil))[:n]
}

func sameTag(a, b string) bool { return hmac.Equal([]byte(strings.ToLower(a)), []byte(b)) }

func day(t time.Time) int { return int(t.Unix() / 86400 % srsDays) }

// encode is from rewritten for domain; false when that would not be an address.
func (s srs) encode(from, domain string, now time.Time) (string, bool) {
	local, host := cut(from)
	if _, err := address.Canonical(from); err != nil || strings.ContainsRune(host, '=') {
		return "", false
	}
	var out string
	switch kind, rest := srsKind(local); kind {
	case 0: // forwarded by another server: its own address stays inside
		out = s.one(host, rest)
	case 1:
		if _, first, inner, ok := splitSRS1(rest); ok {
			out = s.one(first, inner)
			break
		}
		fallthrough
	default:
		tt := dayLetters(now)
		out = "SRS0=" + tag(s.secret, srsHash, "0", tt, host, local) + "=" + tt + "=" + host + "=" + local
	}
	if len(out) > 64 || !dotAtom(out) {
		return "", false
	}
	return out + "@" + domain, true
}

func (s srs) one(first, rest string) string {
	return "SRS1=" + tag(s.secret, srsHash, "1", first, rest) + "=" + first + "=" + rest
}

// decode gives the original of the local part of an SRS address of ours.
func (s srs) decode(local string, now time.Time) (string, error) {
	kind, rest := srsKind(local)
	var out string
	switch kind {
	case 0:
		f := strings.SplitN(rest[1:], "=", 4)
		if len(f) != 4 || f[2] == "" || f[3] == "" || len(f[1]) != 2 {
			return "", errForged
		}
		if !sameTag(f[0], tag(s.secret, srsHash, "0", f[1], f[2], f[3])) {
			return "", errForged
		}
		age, ok := dayOld(f[1], now)
		if !ok {
			return "", errForged
		}
		if age > srsLife {
			return "", errExpired
		}
		out = f[3] + "@" + f[2]
	case 1:
		hash, first, inner, ok := splitSRS1(rest)
		if !ok || !sameTag(hash, tag(s.secret, srsHash, "1", first, inner)) {
			return "", errForged
		}
		out = "SRS0" + inner + "@" + first
	default:
		return "", errNotSRS
	}
	if _, err := address.Canonical(out); err != nil {
		return "", errForged
	}
	return out, nil
}

// srsKind is 0 or 1 and what follows "SRS0" or "SRS1", beginning with the separator; -1
// for other local parts.
func srsKind(local string) (int, string) {
	if len(local) < 6 || !strings.EqualFold(local[:3], "SRS") || strings.IndexByte("=+-", local[4]) < 0 {
		return -1, ""
	}
	switch local[3] {
	case '0':
		return 0, local[4:]
	case '1':
		return 1, local[4:]
	}
	return -1, ""
}

// splitSRS1 reads "=HASH=host=rest"; rest begins with the separator of the SRS0 inside.
func splitSRS1(s string) (hash, first, rest string, ok bool) {
	f := strings.SplitN(s[1:], "=", 3)
	if len(f) != 3 || f[1] == "" || len(f[2]) < 2 || strings.IndexByte("=+-", f[2][0]) < 0 {
		return "", "", "", false
	}
	return f[0], f[1], f[2], true
}

// dotAtom says whether s can stand before the @ without quotes (RFC 5321 section 4.1.2).
func dotAtom(s string) bool {
	last := byte('.')
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '.' && last == '.' {
			return false
		}
		if c != '.' && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) < 0 {
			return false
		}
		last = c
	}
	return last != '.'
}
