package mark

import (
	"strings"
	"unicode/utf8"

	"sampul/policy/extract"
)

// A scanner says in one look at each octet whether a class word may stand in text: as it
// is, and in short lines with anything but letters between its letters, or with digits
// for letters, also over several lines. Most mail has none, and is spared all other work.
type scanner struct {
	state uint8 // of loose, over short lines
	hit   bool
}

const hitState = 255

// Automata: state and octet to state. For loose what is no letter changes nothing, and
// digits are letters; for strict it ends a word.
var loose, strict = automaton(folded, true), automaton(asLetter, false)

func asLetter(c byte) byte {
	if c|0x20 >= 'a' && c|0x20 <= 'z' {
		return c &^ 0x20
	}
	return 0
}

// folded is the letter that an octet counts as; 0 for none.
func folded(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z':
		return c - 'a' + 'A'
	case c >= 'A' && c <= 'Z':
		return c
	}
	switch c {
	case '4', '@':
		return 'A'
	case '1', '!':
		return 'I'
	case '5', '$':
		return 'S'
	case '3':
		return 'E'
	case '7':
		return 'T'
	case '0':
		return 'O'
	}
	return 0
}

// automaton is that of Aho and Corasick for the stems.
func automaton(fold func(byte) byte, skip bool) *[256][128]uint8 {
	type node struct {
		next [26]int
		fail int
		end  bool
	}
	nodes := []node{{}}
	for _, w := range append([]string{"RAHSLA", "RAHSA", "SULLT", "SULT", "CONFLDENTLAL", "CONFDENTAL", "RESTRLCTED", "RESTRCTED"}, stems...) { // l and | for I
		at := 0
		for i := range len(w) {
			c := w[i] - 'A'
			if nodes[at].next[c] == 0 {
				nodes = append(nodes, node{})
				nodes[at].next[c] = len(nodes) - 1
			}
			at = nodes[at].next[c]
		}
		nodes[at].end = true
	}
	queue := []int{}
	for _, n := range nodes[0].next {
		if n != 0 {
			queue = append(queue, n)
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for c, n := range nodes[at].next {
			back := nodes[nodes[at].fail].next[c]
			if n == 0 {
				nodes[at].next[c] = back
				continue
			}
			nodes[n].fail = back
			nodes[n].end = nodes[n].end || nodes[back].end
			queue = append(queue, n)
		}
	}
	var table [256][128]uint8
	for s := range nodes {
		for c := range 128 {
			l := fold(byte(c))
			switch {
			case l == 0 && skip:
				table[s][c] = uint8(s)
			case l == 0:
				table[s][c] = 0
			case nodes[nodes[s].next[l-'A']].end:
				table[s][c] = hitState
			default:
				table[s][c] = uint8(nodes[s].next[l-'A'])
			}
		}
	}
	for c := range 128 {
		table[hitState][c] = hitState
	}
	return &table
}

// text goes on, and says whether a class word may have been seen. Letters of other
// scripts may be a disguise.
func (s *scanner) text(t string) bool {
	for len(t) > 0 && !s.hit {
		line := t
		if i := strings.IndexByte(t, '\n'); i >= 0 {
			line, t = t[:i], t[i+1:]
		} else {
			t = ""
		}
		line = strings.TrimSuffix(line, "\r")
		apart := len(line) <= apartLine // its letters may be
		if !apart {
			_, odd := s.run(strict, 0, line)
			// Blanks in a row, and what does not show, make a line longer than it is.
			apart = len(line) <= 10*candidate && (odd || strings.Contains(line, "  "))
		}
		if apart {
			s.state, _ = s.run(loose, s.state, line)
		} else {
			s.state = 0
		}
	}
	return s.hit
}

// apart says whether a class word may stand in text of any length, its letters apart.
func (s *scanner) apart(t string) bool {
	s.run(loose, 0, t)
	return s.hit
}

// named says whether a place holds names: they are few, and are looked at as short lines are.
func named(p extract.Place) bool {
	return p == extract.Subject || p == extract.FileName || p == extract.HeaderField || p == extract.Metadata
}

// apartLine is the longest line, a field with its label, whose letters may stand apart.
const apartLine = 80

// run goes through a line; odd says that not all of it is visible ASCII.
func (s *scanner) run(table *[256][128]uint8, state uint8, t string) (end uint8, odd bool) {
	for i := 0; i < len(t); i++ {
		c := t[i]
		if c < utf8.RuneSelf {
			odd = odd || c < ' '
			state = table[state][c]
			continue
		}
		odd = true
		r, n := utf8.DecodeRuneInString(t[i:])
		if !harmless(r) {
			s.hit = true
			return state, true
		}
		i += n - 1
	}
	s.hit = s.hit || state == hitState
	return state, odd
}

// harmless are signs that are no letters in disguise: quotation marks, dashes, bullets,
// blanks.
func harmless(r rune) bool {
	switch {
	case r == 0xa0, r == 0xa7, r == 0xa9, r == 0xab, r == 0xad, r == 0xae, r == 0xb0, r == 0xb7, r == 0xbb,
		r >= 0x2000 && r <= 0x2027, r >= 0x2030 && r <= 0x203a, r == 0x2060, r == 0x20ac, r == 0x2190, r == 0x2192, r == 0xfeff:
		return true
	}
	return false
}

// Maybe says whether a mark may stand in text. No is certain.
func Maybe(text string) bool {
	var s scanner
	return s.text(text)
}
