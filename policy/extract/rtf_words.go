package extract

// rtfText are words that stand for characters.
var rtfText = map[string]string{
	"tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
	"emspace": " ", "enspace": " ", "qmspace": " ", "softline": "\n", "lbr": "\n",
}

// word obeys a control word; false for one that is not known.
func (r *rtfReader) word(word string, n int, given bool) bool {
	if r.group(word) {
		return true
	}
	if s, ok := rtfText[word]; ok {
		r.put(s)
		return true
	}
	return r.breaks(word) || r.look(word, n, given) || r.setting(word, n, given)
}

// breaks ends paragraphs, cells and rows.
func (r *rtfReader) breaks(word string) bool {
	p := r.state.para
	switch word {
	case "par", "sect", "page", "column":
		r.paragraph()
	case "cell", "nestcell":
		if p.to.place != Paragraph {
			r.paragraph()
			return true
		}
		r.state.cell = true
		r.flush()
		r.col++
	case "row", "nestrow":
		if p.to.end != nil { // in data there are no rows
			return true
		}
		r.flush()
		r.row, r.col = r.row+1, 1
	case "pard":
		r.state.centred, r.state.cell, r.state.heading, r.state.list = false, false, false, 0
	case "intbl":
		r.state.cell = true
	case "qc":
		r.state.centred = true
	case "ql", "qr", "qj":
		r.state.centred = false
	default:
		return false
	}
	return true
}

// paragraph ends one; in what is not made of paragraphs it is a line's end.
func (r *rtfReader) paragraph() {
	if r.state.para.to.end != nil || r.state.skip {
		r.put("\n")
		return
	}
	if r.html != nil && !r.state.rtf {
		r.html.WriteByte('\n')
	}
	r.flush()
}

// look changes how text looks.
func (r *rtfReader) look(word string, n int, given bool) bool {
	on := !given || n != 0
	set := func(s Style, on bool) {
		r.state.style &^= s
		if on {
			r.state.style |= s
		}
	}
	switch word {
	case "plain":
		r.state.style, r.state.font, r.state.hidden = 0, r.usual, false
	case "b":
		set(Bold, on)
	case "caps", "scaps":
		set(ShownCaps, on)
	case "strike", "striked":
		set(Struck, on)
	case "fs":
		set(Large, n >= 30)
	case "cf":
		set(Red, n >= 0 && n < len(r.colours) && r.colours[n].red())
	case "v", "webhidden":
		r.state.hidden = on
	case "deleted":
		r.state.gone = on
	case "f":
		if r.state.para.to.name == "fonttbl" {
			r.font = n
		} else {
			r.state.font = n
		}
	default:
		return false
	}
	return true
}

// setting is what concerns the document, the charset, or the next destination.
func (r *rtfReader) setting(word string, n int, given bool) bool {
	p := r.state.para
	switch word {
	case "ansicpg":
		r.page = codePage(n)
	case "mac":
		r.page = "macintosh"
	case "pc", "pca":
		r.page = "windows-1252"
	case "deff":
		r.usual = n
		r.state.font = n
	case "fcharset":
		r.fonts[r.font] = fontOf(n)
	case "cpg":
		r.fonts[r.font] = rtfFont{codePage(n)}
	case "red", "green", "blue":
		r.colour.set(word, n)
	case "uc":
		r.state.uc = max(0, min(n, 16))
	case "u":
		r.unicode(n)
	case "outlinelevel":
		r.state.heading = n >= 0 && n < 9
	case "ls":
		r.state.list = max(n, 0)
	case "upr":
		r.state.upr = 1
	case "ud":
		r.state.skip = false
	case "fromhtml":
		r.startHTML(n)
	case "htmlrtf":
		r.state.rtf = !given || n != 0
	case "pngblip", "jpegblip", "emfblip", "wmetafile", "dibitmap", "wbitmap", "macpict", "pmmetafile":
		p.kind = word
	case "ffres":
		r.result = n
	case "ffdefres":
		r.preset = n
	case "fftype":
		r.tick = ""
		if n == 1 {
			r.tick = "[ ] "
		}
	default:
		return false
	}
	return true
}
