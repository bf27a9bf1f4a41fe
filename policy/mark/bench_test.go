package mark

import (
	"testing"

	"sampul/policy/extract"
)

// A letter of which every third line has a class word in its everyday sense.
func BenchmarkMentions(b *testing.B) {
	var p extract.Part
	for i := range 100 {
		p.Units = append(p.Units, extract.Unit{Place: extract.Paragraph, Text: fillers[i%len(fillers)]})
	}
	b.ReportAllocs()
	for b.Loop() {
		Judge([]extract.Part{p})
	}
}
