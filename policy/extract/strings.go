package extract

import (
	"bytes"
	"fmt"
	"math"
	"unicode"
	"unicode/utf8"
)

// shortest is how many printable characters in a row count as text: the shortest class
// word in its own letters has four.
const shortest = 4

// strings gives the runs of printable characters in a file of octets, in 8 bits and in
// UTF-16 of both orders: those that may be looked for, each with what stands around it.
func (w *walker) strings(a at, kind string, b []byte) {
	out := w.part(a, kind)
	for _, in := range []struct {
		name string
		next func(b []byte) (r rune, n int)
		step int // how many beginnings there are
	}{{"", next8, 1}, {", UTF-16", nextLE, 2}, {", UTF-16", nextBE, 2}} {
		for start := range in.step {
			w.runs(b[min(start, len(b)):], in.step, in.next, func(off int, run []byte) {
				for line := range bytes.SplitSeq(run, []byte("\n")) {
					out.add(Unit{Place: Strings, Where: fmt.Sprintf("octet %d%s", off+start, in.name), Text: string(line)})
				}
			})
		}
	}
	out.end()
}

// around is how many runs before and after one that counts are given with it.
const around = 3

func (w *walker) runs(b []byte, step int, next func([]byte) (rune, int), give func(off int, run []byte)) {
	type held struct {
		off int
		run []byte
	}
	var before []held
	after := 0
	var run []byte
	begin, letters := 0, 0
	end := func() {
		if letters >= shortest {
			dull := w.dull(string(run))
			switch {
			case !dull || after > 0:
				for _, h := range before {
					give(h.off, h.run)
				}
				before = before[:0]
				give(begin, run)
				if after--; !dull {
					after = around
				}
			default:
				if len(before) == around {
					before = append(before[:0], before[1:]...)
				}
				before = append(before, held{begin, bytes.Clone(run)})
			}
		}
		run, letters = run[:0], 0
	}
	for i := 0; i < len(b); {
		if i&0xffff == 0 && !w.tick() {
			return
		}
		r, n := next(b[i:])
		if r == 0 || len(run) > 64<<10 {
			end()
			i += step
			continue
		}
		if len(run) == 0 {
			begin = i
		}
		run = utf8.AppendRune(run, r)
		if r != '\n' && r != '\r' && r != ' ' && r != '\t' {
			letters++
		}
		i += n
	}
	end()
}

func printable(r rune) bool {
	switch {
	case r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r < 0x7f:
		return true
	case r < 0xa0:
		return false
	}
	// Of other scripts, those in which a class can be written or disguised.
	return r < 0x250 || unicode.In(r, unicode.Arabic, unicode.Cyrillic, unicode.Greek) || r >= 0xff01 && r <= 0xff5e
}

func next8(b []byte) (rune, int) {
	if c := b[0]; c < utf8.RuneSelf {
		if !printable(rune(c)) {
			return 0, 0
		}
		return rune(c), 1
	}
	r, n := utf8.DecodeRune(b)
	if n == 1 || !printable(r) {
		return 0, 0
	}
	return r, n
}

func nextLE(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, 0
	}
	return wide(rune(b[1])<<8 | rune(b[0]))
}

func nextBE(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, 0
	}
	return wide(rune(b[0])<<8 | rune(b[1]))
}

func wide(r rune) (rune, int) {
	if !printable(r) {
		return 0, 0
	}
	return r, 2
}

// entropy is how many bits an octet of b carries.
func entropy(b []byte) float64 {
	var n [256]int
	for _, c := range b {
		n[c]++
	}
	e := 0.0
	for _, k := range n {
		if k > 0 {
			p := float64(k) / float64(len(b))
			e -= p * math.Log2(p)
		}
	}
	return e
}

// chance is the entropy that so many octets of pure chance show.
func chance(n int) float64 {
	mean := float64(n) / 256
	e, p := 0.0, math.Exp(-mean)
	for k := 1; k < 10*int(mean+2); k++ {
		p *= mean / float64(k)
		e -= 256 * p * float64(k) / float64(n) * math.Log2(float64(k)/float64(n))
	}
	return e
}

// dense says whether b is compressed or encrypted: over 7.5 bits an octet, as a whole or in
// a quarter of it. Few octets can't show as many bits: they are measured against chance.
func dense(b []byte) bool {
	const block = 8 << 10
	switch {
	case len(b) < 64:
		return false
	case len(b) < block:
		return entropy(b) > min(7.5, chance(len(b))-0.25)
	case entropy(b) > 7.5:
		return true
	}
	high := 0
	for i := 0; i+block <= len(b); i += block {
		if entropy(b[i:i+block]) > 7.5 {
			high++
		}
	}
	return high*block*4 >= len(b)
}
