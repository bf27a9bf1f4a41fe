package bombs

import (
	"testing"

	"sampul/internal/message"
)

// A bomb is small enough to come by mail, and its message is one.
func TestBombs(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range All() {
		mail := b.Mail("orang@luar.test", "pegawai@agensi.test")
		if len(mail) > 25<<20 || len(mail) < 200 {
			t.Errorf("%s: %d octets", b.Name, len(mail))
		}
		if seen[b.Name] {
			t.Errorf("two of the name %s", b.Name)
		}
		seen[b.Name] = true
		if x := message.Parse(mail); x.Parts[0].Get("Subject") == "" {
			t.Errorf("%s: no message", b.Name)
		}
	}
	if len(seen) < 40 {
		t.Errorf("%d bombs", len(seen))
	}
}
