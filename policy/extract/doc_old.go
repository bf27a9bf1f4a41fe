package extract

import (
	"fmt"
	"strings"

	"sampul/internal/message"
)

// readWord2 is Word for Windows 2, which wrote no container: its text stands in one piece,
// headers and notes behind the rest.
func readWord2(w *walker, a at, s *source) {
	if len(s.data) < 0x20 {
		w.gap(a, "doc", Damaged, "it breaks off")
		return
	}
	if le.Uint16(s.data[10:])&0x0100 != 0 {
		w.res.Files[w.current].Locked = true
		w.gap(a, "doc", Locked, "a document locked by a password")
		return
	}
	from, to := int64(le.Uint32(s.data[0x18:])), int64(le.Uint32(s.data[0x1c:]))
	if from >= to || to > int64(len(s.data)) {
		w.gap(a, "doc", Damaged, "it breaks off")
		w.strings(a, "doc", s.data)
		return
	}
	out := w.part(a, "doc")
	n := 0
	for l := range strings.FieldsFuncSeq(message.DecodeCharset("windows-1252", s.data[from:to]), func(r rune) bool { return r < ' ' && r != '\t' }) {
		n++
		out.add(Unit{Place: Paragraph, Where: fmt.Sprint("paragraph ", n), Text: l})
	}
	out.end()
}
