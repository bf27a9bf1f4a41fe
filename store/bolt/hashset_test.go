package bolt

import (
	"fmt"
	"testing"
)

// What was added is found, and a million costs at most 16 octets each however it came in.
func TestHashSet(t *testing.T) {
	for _, known := range []int{0, 1_000_000} {
		var h hashSet
		h.init(known)
		key := func(i int) []byte { return fmt.Appendf(nil, "agensi-a\x00orang%d@luar.test", i) }
		worst := 0.0
		for i := range 1_000_000 {
			h.add(key(i))
			if i >= 1000 && known == 0 || i == 999_999 {
				worst = max(worst, float64(8*len(h.table))/float64(i+1))
			}
		}
		for i := range 1_000_000 {
			if !h.has(key(i)) {
				t.Fatalf("%d was added", i)
			}
		}
		wrong := 0
		for i := range 1_000_000 {
			if h.has(key(i + 1_000_000)) {
				wrong++
			}
		}
		if worst > 16 || wrong > 1 || h.n < 999_999 {
			t.Errorf("%.1f octets each, %d found that were never added, %d in it", worst, wrong, h.n)
		}
	}
}

func BenchmarkHashSet(b *testing.B) {
	var h hashSet
	h.init(0)
	for i := range 1_000_000 {
		h.add(fmt.Appendf(nil, "agensi-a\x00orang%d@luar.test", i))
	}
	b.ReportMetric(float64(8*len(h.table))/float64(h.n), "octets/entry")
	key := []byte("agensi-a\x00baik@luar.test")
	b.ReportAllocs()
	for b.Loop() {
		h.has(key)
	}
}
