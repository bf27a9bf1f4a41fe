package dns

import (
	"fmt"
	"testing"
	"time"
)

// Strangers choose many of the names that are looked up, and what the answers hold.
func TestCacheIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name         string
		answers, len int
	}{
		{"many names", 3 * maxNames, 100},
		{"long answers", 2000, 60 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := New("127.0.0.1:53")
			until := time.Now().Add(time.Hour)
			for i := range tt.answers {
				q := question{fmt.Sprintf("a%d.luar.test", i), 16}
				r.keep(q, &answer{until: until, size: tt.len})
				r.keep(q, &answer{until: until, size: tt.len}) // again, as after its TTL
				if r.cached(q) == nil {
					t.Fatal("the last answer is not there")
				}
			}
			sum := 0
			for _, a := range r.cache {
				sum += a.size
			}
			if len(r.cache) > maxNames || len(r.cache) < 100 || sum > maxOctets || sum != r.size {
				t.Errorf("%d answers with %d octets, counted as %d", len(r.cache), sum, r.size)
			}
			if r.Forget(); r.size != 0 || len(r.cache) != 0 {
				t.Error("something is left")
			}
		})
	}
}
