package authres

import (
	"net/netip"
	"testing"
	"time"
)

// A finding is believed for a short while, for the same client and envelope alone, and the
// memory does not grow with what strangers send.
func TestMemory(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var m memory[sentBy, Result]
	a := sentBy{netip.MustParseAddr("192.0.2.1"), "mx.luar.test", "a@luar.test"}
	m.put(a, Pass, now)
	for _, tt := range []struct {
		name string
		by   sentBy
		at   time.Time
		want bool
	}{
		{"just before its end", a, now.Add(rememberFor - 1), true},
		{"at its end", a, now.Add(rememberFor), false},
		{"another address", sentBy{netip.MustParseAddr("192.0.2.2"), a.helo, a.from}, now, false},
		{"another HELO", sentBy{a.ip, "lain.luar.test", a.from}, now, false},
		{"another sender", sentBy{a.ip, a.helo, "b@luar.test"}, now, false},
	} {
		if _, ok := m.get(tt.by, tt.at); ok != tt.want {
			t.Errorf("%s: known %v", tt.name, ok)
		}
	}
	for i := range 3 * remembered {
		m.put(sentBy{a.ip, a.helo, string(rune(i))}, Fail, now)
		if len(m.kept) > remembered {
			t.Fatalf("%d findings are kept", len(m.kept))
		}
	}
}
