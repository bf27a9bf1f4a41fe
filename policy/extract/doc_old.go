package extract

// readWord2 is Word for Windows 2, which wrote no container: its text stands in one piece.
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
		from, to = 0, int64(len(s.data))
	}
	w.strings(a, "doc", s.data[from:to])
}
