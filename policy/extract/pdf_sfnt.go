package extract

import "encoding/binary"

// An sfnt is a TrueType or OpenType font: its tables by name. Fonts in PDF lack most of them.
type sfnt map[string][]byte

func sfntOf(b []byte) sfnt {
	out := sfnt{}
	if len(b) < 12 {
		return out
	}
	be := binary.BigEndian
	switch string(b[:4]) {
	case "\x00\x01\x00\x00", "OTTO", "true":
	default:
		return out
	}
	for i := range min(int(be.Uint16(b[4:])), 64) {
		e := 12 + 16*i
		if e+16 > len(b) {
			break
		}
		off, n := int64(be.Uint32(b[e+8:])), int64(be.Uint32(b[e+12:]))
		if off < int64(len(b)) {
			out[string(b[e:e+4])] = b[off:min(off+n, int64(len(b)))]
		}
	}
	return out
}

// letters are the Latin letters of glyphs, by number: what they are called, or which
// characters they are for.
func (s sfnt) letters() map[int]rune {
	out := s.names()
	if len(out) > 0 {
		return out
	}
	s.eachMap(func(platform, encoding int, sub []byte) {
		if platform != 0 && (platform != 3 || encoding != 1 && encoding != 10) {
			return
		}
		for r := 'A'; r <= 'z'; r++ {
			if r > 'Z' && r < 'a' {
				continue
			}
			if g := cmapGlyph(sub, int(r)); g > 0 {
				if _, known := out[g]; !known {
					out[g] = r
				}
			}
		}
	})
	return out
}

// names are the letters that glyphs are called by (table post, format 2).
func (s sfnt) names() map[int]rune {
	out := map[int]rune{}
	b := s["post"]
	be := binary.BigEndian
	if len(b) < 34 || be.Uint32(b) != 0x20000 {
		return out
	}
	n := int(be.Uint16(b[32:]))
	if 34+2*n > len(b) {
		return out
	}
	var names []string
	for i := 34 + 2*n; i < len(b); {
		end := min(i+1+int(b[i]), len(b))
		names = append(names, string(b[i+1:end]))
		i = end
	}
	for g := range n {
		k := int(be.Uint16(b[34+2*g:]))
		switch { // the first 258 are in the order of Macintosh's
		case k >= 36 && k <= 61:
			out[g] = rune('A' + k - 36)
		case k >= 68 && k <= 93:
			out[g] = rune('a' + k - 68)
		case k >= 258 && k-258 < len(names):
			if r, ok := pdfLetterOf(names[k-258]); ok {
				out[g] = r
			}
		}
	}
	return out
}

// codes are the glyphs of codes of one octet, as a font has them that goes by its own.
func (s sfnt) codes() map[int]int {
	out := map[int]int{}
	s.eachMap(func(platform, encoding int, sub []byte) {
		for c := range 256 {
			g := 0
			switch {
			case platform == 1:
				g = cmapGlyph(sub, c)
			case platform == 3 && encoding == 0:
				if g = cmapGlyph(sub, 0xf000+c); g == 0 {
					g = cmapGlyph(sub, c)
				}
			}
			if g > 0 {
				out[c] = g
			}
		}
	})
	return out
}

func (s sfnt) eachMap(f func(platform, encoding int, sub []byte)) {
	b := s["cmap"]
	be := binary.BigEndian
	if len(b) < 4 {
		return
	}
	for i := range min(int(be.Uint16(b[2:])), 8) {
		e := 4 + 8*i
		if e+8 > len(b) {
			return
		}
		if off := int64(be.Uint32(b[e+4:])); off < int64(len(b)) {
			f(int(be.Uint16(b[e:])), int(be.Uint16(b[e+2:])), b[off:])
		}
	}
}

// cmapGlyph is the glyph for a character in a table of formats 0, 4, 6 and 12; 0 for none.
func cmapGlyph(b []byte, c int) int {
	be := binary.BigEndian
	if len(b) < 16 {
		return 0
	}
	switch be.Uint16(b) {
	case 0:
		if c < 256 && 6+c < len(b) {
			return int(b[6+c])
		}
	case 4:
		n := int(be.Uint16(b[6:])) / 2
		if n > 4096 { // as no font has
			return 0
		}
		ends, starts, deltas, ranges := 14, 16+2*n, 16+4*n, 16+6*n
		for i := range n {
			if ranges+2*i+2 > len(b) { // as well as what stands before
				return 0
			}
			if c > int(be.Uint16(b[ends+2*i:])) {
				continue
			}
			start := int(be.Uint16(b[starts+2*i:]))
			if c < start {
				return 0
			}
			delta, off := int(be.Uint16(b[deltas+2*i:])), int(be.Uint16(b[ranges+2*i:]))
			if off == 0 {
				return (c + delta) & 0xffff
			}
			at := ranges + 2*i + off + 2*(c-start)
			if at+2 > len(b) {
				return 0
			}
			if g := int(be.Uint16(b[at:])); g != 0 {
				return (g + delta) & 0xffff
			}
			return 0
		}
	case 6:
		first, n := int(be.Uint16(b[6:])), int(be.Uint16(b[8:]))
		if at := 10 + 2*(c-first); c >= first && c < first+n && at+2 <= len(b) {
			return int(be.Uint16(b[at:]))
		}
	case 12:
		for i := range min(int64(be.Uint32(b[12:])), 10_000) {
			e := 16 + 12*int(i)
			if e+12 > len(b) {
				return 0
			}
			lo, hi := int64(be.Uint32(b[e:])), int64(be.Uint32(b[e+4:]))
			if int64(c) >= lo && int64(c) <= hi {
				return int(be.Uint32(b[e+8:])) + c - int(lo)
			}
		}
	}
	return 0
}

// cffLetters are the Latin letters of the glyphs of a CFF font, by number, as its charset
// calls them. One whose glyphs have no names gives nothing.
func cffLetters(b []byte) map[int]rune {
	out := map[int]rune{}
	if len(b) < 4 || int(b[2]) > len(b) {
		return out
	}
	_, rest := cffIndex(b[b[2]:])
	tops, rest := cffIndex(rest)
	names, _ := cffIndex(rest)
	if len(tops) == 0 {
		return out
	}
	top := cffDict(tops[0])
	if _, numbered := top[1230]; numbered {
		return out
	}
	at, chars := top[15], top[17]
	if chars <= 0 || chars >= len(b) {
		return out
	}
	glyphs, _ := cffIndex(b[chars:])
	sid := func(g, s int) {
		switch {
		case s >= 34 && s <= 59:
			out[g] = rune('A' + s - 34)
		case s >= 66 && s <= 91:
			out[g] = rune('a' + s - 66)
		case s >= 391 && s-391 < len(names):
			if r, ok := pdfLetterOf(string(names[s-391])); ok {
				out[g] = r
			}
		}
	}
	if at <= 2 {
		if at == 0 { // ISOAdobe: in the order of the names
			for g := range glyphs {
				sid(g, g)
			}
		}
		return out
	}
	if at >= len(b) {
		return out
	}
	be := binary.BigEndian
	format, c := b[at], b[at+1:]
	for g := 1; g < len(glyphs) && len(c) >= 2; {
		first := int(be.Uint16(c))
		c = c[2:]
		more := 0
		switch {
		case format == 1 && len(c) >= 1:
			more, c = int(c[0]), c[1:]
		case format == 2 && len(c) >= 2:
			more, c = int(be.Uint16(c)), c[2:]
		}
		for i := 0; i <= more && g < len(glyphs); i++ {
			sid(g, first+i)
			g++
		}
	}
	return out
}

// cffIndex reads an INDEX, and gives what follows it.
func cffIndex(b []byte) (items [][]byte, rest []byte) {
	if len(b) < 2 {
		return nil, nil
	}
	n := int(binary.BigEndian.Uint16(b))
	if n == 0 {
		return nil, b[2:]
	}
	if len(b) < 3 {
		return nil, nil
	}
	size := int(b[2])
	data := 3 + (n+1)*size - 1
	if size < 1 || size > 4 || data+1 > len(b) {
		return nil, nil
	}
	off := func(i int) int {
		v := 0
		for _, c := range b[3+i*size : 3+(i+1)*size] {
			v = v<<8 | int(c)
		}
		return data + v
	}
	for i := range n {
		from, to := off(i), off(i+1)
		if from > to || from < 0 || to > len(b) {
			return items, nil
		}
		items = append(items, b[from:to])
	}
	return items, b[off(n):]
}

// cffDict reads the operators of a DICT with the last of their operands; those of two
// octets count from 1200.
func cffDict(b []byte) map[int]int {
	out := map[int]int{}
	last := 0
	be := binary.BigEndian
	for len(b) > 0 {
		c := int(b[0])
		b = b[1:]
		switch {
		case c == 12 && len(b) > 0:
			out[1200+int(b[0])] = last
			b = b[1:]
		case c <= 21:
			out[c] = last
			last = 0
		case c == 28 && len(b) >= 2:
			last, b = int(int16(be.Uint16(b))), b[2:]
		case c == 29 && len(b) >= 4:
			last, b = int(int32(be.Uint32(b))), b[4:]
		case c == 30: // a real number, up to a half octet of 15
			i := 0
			for i < len(b) && b[i]&15 != 15 && b[i]>>4 != 15 {
				i++
			}
			b = b[min(i+1, len(b)):]
		case c >= 32 && c <= 246:
			last = c - 139
		case c >= 247 && c <= 250 && len(b) > 0:
			last, b = (c-247)*256+int(b[0])+108, b[1:]
		case c >= 251 && c <= 254 && len(b) > 0:
			last, b = -(c-251)*256-int(b[0])-108, b[1:]
		}
	}
	return out
}
