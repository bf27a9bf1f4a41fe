package extract

import (
	"slices"
)

// wordLook is how a character looks: a [Style], and whether it is shown at all.
type wordLook uint16

const (
	lookHidden  wordLook = 1 << 12
	lookDeleted wordLook = 1 << 13
	lookStyles           = Bold | Red | Large | ShownCaps | Struck
)

// A wordRun is characters of one look, by where they stand in the file.
type wordRun struct {
	from, to  int64
	look, off wordLook
	symbol    uint16 // shown in place of the character; 0 for none
	para      wordPara
}

// wordPara is what matters of a paragraph.
type wordPara struct {
	inTable, rowEnd, heading bool
	list                     int
	style                    Style
}

// A wordSpan is a paragraph, by where it stands in the file.
type wordSpan struct {
	from, to int64
	para     wordPara
	look     wordLook // of its style
}

// set switches a part of a look by an operand: on, off, as the style has it, or its opposite.
func (r *wordRun) set(l wordLook, v byte) {
	if v == 1 || v == 0x81 {
		r.look |= l
		r.off &^= l
	} else if v == 0 {
		r.look &^= l
		r.off |= l
	}
}

// apply reads modifiers [MS-DOC 2.6].
func (r *wordRun) apply(b []byte) {
	for len(b) >= 3 {
		op := le.Uint16(b)
		b = b[2:]
		n := [8]int{1, 1, 2, 4, 2, 2, 0, 3}[op>>13]
		if op>>13 == 6 {
			n = 1 + int(b[0])
			if op == 0xd608 && len(b) >= 2 { // a table's columns: a longer length
				n = 1 + int(le.Uint16(b))
			}
		}
		if n > len(b) {
			return
		}
		r.modify(op, b[:n])
		b = b[n:]
	}
}

func (r *wordRun) modify(op uint16, v []byte) {
	switch op {
	case 0x0835:
		r.set(wordLook(Bold), v[0])
	case 0x0837, 0x2a53:
		r.set(wordLook(Struck), v[0])
	case 0x083a, 0x083b:
		r.set(wordLook(ShownCaps), v[0])
	case 0x083c:
		r.set(lookHidden, v[0])
	case 0x0800:
		r.set(lookDeleted, v[0])
	case 0x2a42:
		if v[0] == 6 {
			r.look |= wordLook(Red)
		}
	case 0x6870:
		if v[0] >= 0xb0 && v[1] < 0x50 && v[2] < 0x50 {
			r.look |= wordLook(Red)
		}
	case 0x4a43:
		if le.Uint16(v) >= 30 {
			r.look |= wordLook(Large)
		}
	case 0x6a09:
		r.symbol = le.Uint16(v[2:])
	case 0x2416:
		r.para.inTable = v[0] != 0
	case 0x2417:
		r.para.rowEnd = v[0] != 0
	case 0x244b, 0x244c: // a table in a table
		r.para.inTable = true
		r.para.rowEnd = op == 0x244c && v[0] != 0 || r.para.rowEnd
	case 0x2403, 0x2461:
		r.para.style &^= Centred
		if v[0] == 1 {
			r.para.style |= Centred
		}
	case 0x2640:
		r.para.heading = v[0] < 9
	case 0x460b:
		r.para.list = int(le.Uint16(v))
	}
}

// pages are the pages of 512 octets that tell of characters or paragraphs; each begins with
// where in the file its runs begin, and ends with how many there are.
func (f *wordFile) pages(table int, each func(page []byte, i int, from, to int64)) {
	list := f.entry(table)
	n := (len(list) - 4) / 8
	for p := range min(max(n, 0), len(f.main)/512+1) {
		off := int64(le.Uint32(list[4*(n+1)+4*p:])&0x3fffff) * 512
		if off+512 > int64(len(f.main)) {
			continue
		}
		page := f.main[off : off+512]
		count := int(page[511])
		if 4*(count+1) > 511 {
			continue
		}
		for i := range count {
			from, to := int64(le.Uint32(page[4*i:])), int64(le.Uint32(page[4*i+4:]))
			if from < to {
				each(page, i, from, to)
			}
		}
	}
}

func (f *wordFile) runs() (all []wordRun) {
	if f.sixth {
		return nil
	}
	f.pages(tableCharacters, func(page []byte, i int, from, to int64) {
		off := 4*(int(page[511])+1) + i
		if off >= 511 || page[off] == 0 {
			return
		}
		at := 2 * int(page[off])
		if n := int(page[at]); at+1+n <= 511 {
			r := wordRun{from: from, to: to}
			r.apply(page[at+1 : at+1+n])
			if r.look|r.off != 0 || r.symbol != 0 {
				all = append(all, r)
			}
		}
	})
	slices.SortStableFunc(all, func(a, b wordRun) int { return int(a.from - b.from) })
	var end int64
	for i := range all { // one after another, whatever the file says: each is then met once
		all[i].from = max(all[i].from, end)
		all[i].to = max(all[i].to, all[i].from)
		end = all[i].to
	}
	return all
}

func (f *wordFile) paragraphs() (all []wordSpan) {
	if f.sixth {
		return nil
	}
	styles := f.styles()
	f.pages(tableParagraphs, func(page []byte, i int, from, to int64) {
		off := 4*(int(page[511])+1) + 13*i
		if off >= 511 {
			return
		}
		s := wordSpan{from: from, to: to}
		if at := 2 * int(page[off]); at > 0 {
			n := 2*int(page[at]) - 1
			at++
			if n < 0 && at < 511 { // a longer one
				n = 2 * int(page[at])
				at++
			}
			if n >= 2 && at+n <= 511 {
				style := int(le.Uint16(page[at:]))
				r := wordRun{}
				if style < len(styles) {
					r.para, s.look = styles[style].para, styles[style].look
				}
				r.apply(page[at+2 : at+n])
				s.para = r.para
				s.para.heading = s.para.heading || style >= 1 && style <= 9
			}
		}
		all = append(all, s)
	})
	slices.SortStableFunc(all, func(a, b wordSpan) int { return int(a.from - b.from) })
	var end int64
	for i := range all {
		all[i].from = max(all[i].from, end)
		all[i].to = max(all[i].to, all[i].from)
		end = all[i].to
	}
	return all
}

// styles are how the paragraphs of each style look [MS-DOC 2.9.271].
func (f *wordFile) styles() []wordRun {
	const tableStyles = 1
	b := f.entry(tableStyles)
	if len(b) < 20 {
		return nil
	}
	head := int(le.Uint16(b))
	base := int(le.Uint16(b[4:]))
	count := min(int(le.Uint16(b[2:])), 4096)
	if head+2 > len(b) {
		return nil
	}
	b = b[2+head:]
	all := make([]wordRun, count)
	parents := make([]int, count)
	for i := range count {
		parents[i] = -1
		if len(b) < 2 {
			break
		}
		n := int(le.Uint16(b))
		if n+2 > len(b) {
			break
		}
		parents[i] = all[i].style(b[2:2+n], base)
		b = b[2+n:]
	}
	for i := range all { // what a style does not say, the one that it is based on says
		for p, depth := parents[i], 0; p >= 0 && p < count && depth < 12; p, depth = parents[p], depth+1 {
			all[i].look |= all[p].look &^ all[i].off
			all[i].off |= all[p].off
		}
	}
	return all
}

// style reads one style, and says on which it is based.
func (r *wordRun) style(b []byte, base int) (parent int) {
	if len(b) < base+2 || base < 6 {
		return -1
	}
	kind, parent := le.Uint16(b[2:])&15, int(le.Uint16(b[2:])>>4)
	n := 2*int(le.Uint16(b[base:])) + 4
	if kind != 1 || base+n > len(b) {
		return -1
	}
	b = b[base+n:]
	for i := range 2 { // of the paragraph, then of its characters
		if len(b) < 2 {
			break
		}
		n := int(le.Uint16(b))
		if n+2 > len(b) {
			break
		}
		if skip := 2 * (1 - i); n >= skip {
			r.apply(b[2+skip : 2+n])
		}
		b = b[min(len(b), 2+(n+1)&^1):]
	}
	return parent
}

// dress gives the n characters from start on, which stand at octet at, their looks.
func (f *wordFile) dress(start, n int, at, width int64, runs []wordRun, paras []wordSpan) {
	end := at + int64(n)*width
	span := func(from, to int64) (int, int) {
		i, j := int((max(from, at)-at+width-1)/width), int((min(to, end)-at+width-1)/width)
		return start + i, start + min(j, n)
	}
	first, _ := slices.BinarySearchFunc(paras, at, func(s wordSpan, at int64) int { return int(s.to - at - 1) })
	for _, s := range paras[first:] {
		if s.from >= end {
			break
		}
		i, j := span(s.from, s.to)
		if s.look != 0 {
			for k := i; k < j; k++ {
				f.looks[k] |= s.look
			}
		}
		for k := i; k < j; k++ {
			if c := f.text[k]; c == '\r' || c == 7 || c == 0x0c {
				f.ends[k] = s.para
			}
		}
	}
	first, _ = slices.BinarySearchFunc(runs, at, func(r wordRun, at int64) int { return int(r.to - at - 1) })
	for _, r := range runs[first:] {
		if r.from >= end {
			break
		}
		i, j := span(r.from, r.to)
		for k := i; k < j; k++ {
			f.looks[k] = f.looks[k]&^r.off | r.look
			if r.symbol != 0 {
				f.text[k] = r.symbol
			}
		}
	}
}
