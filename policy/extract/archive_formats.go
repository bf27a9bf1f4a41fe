package extract

// archiveMagics are of archives beyond those that every mail carries.
func archiveMagics() []magic {
	foreign := kind{name: "archive", read: readForeign, apart: true}
	return []magic{
		{bytes: "7z\xbc\xaf\x27\x1c", kind: kind{name: "7z"}},
		{bytes: "Rar!\x1a\x07", kind: kind{name: "rar"}},
		{bytes: "\xfd7zXZ\x00", kind: kind{name: "xz"}},
		{bytes: "\x28\xb5\x2f\xfd", kind: kind{name: "zstd"}},
		{bytes: "**ACE**", off: 7, kind: foreign},
		{bytes: "\x60\xea", kind: foreign},
		{bytes: "-lh", off: 2, kind: foreign, letters: true}, {bytes: "-lz", off: 2, kind: foreign, letters: true},
		{bytes: "SIT!", kind: foreign, letters: true}, {bytes: "StuffIt", kind: foreign, letters: true}, {bytes: "zPQ", kind: foreign, letters: true},
		{bytes: "xar!", kind: foreign, letters: true}, {bytes: "\xdc\xa7\xc4\xfd", kind: foreign}, {bytes: "ZOO ", kind: foreign, letters: true},
		{bytes: "hsqs", kind: foreign, letters: true}, {bytes: "LRZI", kind: foreign, letters: true},
		{bytes: "\x89LZO\x00", kind: foreign}, {bytes: "SZDD", kind: foreign, letters: true}, {bytes: "KWAJ", kind: foreign, letters: true},
		{bytes: "\xed\xab\xee\xdb", kind: foreign}, {bytes: "MSCF", kind: foreign, letters: true},
	}
}

// readForeign is an archive of a kind that is not unpacked here.
func readForeign(w *walker, a at, s *source) {
	w.gap(a, "archive", Opaque, "this kind of archive is not unpacked")
	w.strings(a, "archive", s.data)
}
