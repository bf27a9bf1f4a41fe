package extract

import "strings"

// rtfFont is what matters of a font: how it reads octets.
type rtfFont struct{ page string }

// fontOf is the code page of a font's character set.
func fontOf(charset int) rtfFont {
	switch charset {
	case 2:
		return rtfFont{"symbol"}
	case 77:
		return rtfFont{"macintosh"}
	case 128:
		return rtfFont{"shift_jis"}
	case 129, 130:
		return rtfFont{"euc-kr"}
	case 134:
		return rtfFont{"gbk"}
	case 136:
		return rtfFont{"big5"}
	case 161:
		return rtfFont{"windows-1253"}
	case 162:
		return rtfFont{"windows-1254"}
	case 163:
		return rtfFont{"windows-1258"}
	case 177:
		return rtfFont{"windows-1255"}
	case 178, 179, 180:
		return rtfFont{"windows-1256"}
	case 186:
		return rtfFont{"windows-1257"}
	case 204:
		return rtfFont{"windows-1251"}
	case 222:
		return rtfFont{"windows-874"}
	case 238:
		return rtfFont{"windows-1250"}
	case 0:
		return rtfFont{"windows-1252"}
	}
	return rtfFont{} // as the document has it
}

// fontPage is the charset of text where it is now.
func (r *rtfReader) fontPage() string {
	if f := r.fonts[r.state.font]; f.page != "" {
		return f.page
	}
	return r.page
}

// isDouble knows charsets in which the second octet of a character may be an ASCII letter.
func isDouble(page string) bool {
	switch page {
	case "shift_jis", "euc-kr", "gbk", "big5", "gb18030":
		return true
	}
	return false
}

type rtfColour struct{ r, g, b int }

func (c *rtfColour) set(word string, n int) {
	switch word {
	case "red":
		c.r = n
	case "green":
		c.g = n
	case "blue":
		c.b = n
	}
}

func (c rtfColour) red() bool { return c.r >= 0xb0 && c.g < 0x50 && c.b < 0x50 }

// entry reads the text of tables: a semicolon ends each colour. Names of fonts tell which
// are of symbols.
func (r *rtfReader) entry(s string) {
	switch r.state.para.to.name {
	case "colortbl":
		for range strings.Count(s, ";") {
			if len(r.colours) < 4096 {
				r.colours = append(r.colours, r.colour)
			}
			r.colour = rtfColour{}
		}
	}
}
