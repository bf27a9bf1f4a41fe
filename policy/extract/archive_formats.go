package extract

// archiveMagics are of archives beyond those that every mail carries.
func archiveMagics() []magic {
	foreign := kind{name: "archive", read: readForeign, apart: true}
	return []magic{
		{bytes: "7z\xbc\xaf\x27\x1c", kind: kind{name: "7z", read: read7z, apart: true}},
		{bytes: "Rar!\x1a\x07", kind: kind{name: "rar", read: readRar, apart: true}},
		{bytes: "\xfd7zXZ\x00", kind: kind{name: "xz", read: readXZ, apart: true}},
		{bytes: "\x28\xb5\x2f\xfd", kind: kind{name: "zstd", read: readZstd, apart: true}},
		{bytes: "\x04\x22\x4d\x18", kind: kind{name: "lz4", read: readLZ4, apart: true}},
		{bytes: "LZIP\x01", kind: kind{name: "lzip", read: readLzip, apart: true}},
		{bytes: "\x1f\x9d", kind: kind{name: "compress", read: readCompress, apart: true}},
		{bytes: "MSCF\x00\x00\x00\x00", kind: kind{name: "cab", read: readCab, apart: true}},
		{bytes: "!<arch>\n", kind: kind{name: "ar", read: readAr, apart: true}},
		{bytes: "\xed\xab\xee\xdb", kind: kind{name: "rpm", read: readRpm, apart: true}},
		{bytes: "070701", kind: kind{name: "cpio", read: readCpio, apart: true}}, {bytes: "070702", kind: kind{name: "cpio", read: readCpio, apart: true}},
		{bytes: "\xc7\x71", kind: kind{name: "cpio", read: readOldCpio, apart: true}}, {bytes: "\x71\xc7", kind: kind{name: "cpio", read: readOldCpio, apart: true}},
		{bytes: "070707", kind: kind{name: "cpio", read: readCpio, apart: true}},
		{off: 16*sector + 1, bytes: "CD001", kind: kind{name: "iso", read: readISO, apart: true}},
		{off: 16*sector + 1, bytes: "BEA01", kind: kind{name: "disk image", read: readOpaque, apart: true}},
		{bytes: "**ACE**", off: 7, kind: foreign},
		{bytes: "\x60\xea", kind: foreign},
		{bytes: "-lh", off: 2, kind: foreign, letters: true}, {bytes: "-lz", off: 2, kind: foreign, letters: true},
		{bytes: "SIT!", kind: foreign, letters: true}, {bytes: "StuffIt", kind: foreign, letters: true}, {bytes: "zPQ", kind: foreign, letters: true},
		{bytes: "xar!", kind: foreign, letters: true}, {bytes: "\xdc\xa7\xc4\xfd", kind: foreign}, {bytes: "ZOO ", kind: foreign, letters: true},
		{bytes: "hsqs", kind: foreign, letters: true}, {bytes: "LRZI", kind: foreign, letters: true},
		{bytes: "\x89LZO\x00", kind: foreign}, {bytes: "SZDD", kind: foreign, letters: true}, {bytes: "KWAJ", kind: foreign, letters: true},
		{bytes: "MSWIM\x00", kind: foreign}, {bytes: "UHA", kind: foreign, letters: true}, {bytes: "ISc(", kind: foreign, letters: true},
	}
}

// readForeign is an archive of a kind that is not unpacked here.
func readForeign(w *walker, a at, s *source) {
	w.gap(a, "archive", Opaque, "this kind of archive is not unpacked")
	w.strings(a, "archive", s.data)
}
