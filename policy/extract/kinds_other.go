package extract

import (
	"bytes"
	"encoding/binary"
)

// otherMagics are of programs, of what nobody can read for marks, and of what has no text:
// sound, film, fonts.
func otherMagics() []magic {
	program := kind{name: "executable", read: readExecutable, apart: true}
	shortcut := kind{name: "shortcut", read: readExecutable, apart: true}
	audio := kind{name: "audio", read: readInert, apart: true}
	video := kind{name: "video", read: readInert, apart: true}
	font := kind{name: "font", read: readInert, apart: true}
	drawing := kind{name: "drawing", read: readOpaque, apart: true}
	database := kind{name: "database", read: readOpaque, apart: true}
	disk := kind{name: "disk image", read: readOpaque, apart: true}
	keys := kind{name: "key store", read: readLockedBox, apart: true}
	return []magic{
		{bytes: "MZ", kind: program, letters: true},
		{bytes: "\x7fELF", kind: program},
		{bytes: "\xfe\xed\xfa\xce", kind: program}, {bytes: "\xfe\xed\xfa\xcf", kind: program},
		{bytes: "\xce\xfa\xed\xfe", kind: program}, {bytes: "\xcf\xfa\xed\xfe", kind: program},
		{bytes: "\xca\xfe\xba\xbe", kind: program}, // Java class, or Mach-O for several machines
		{bytes: "dex\n03", kind: program, letters: true},
		{bytes: "\x00asm", kind: program},
		{bytes: "L\x00\x00\x00\x01\x14\x02\x00", kind: shortcut},
		{bytes: "ITSF", kind: kind{name: "chm", read: readOpaque, apart: true}, letters: true},

		{bytes: "ID3", kind: audio, letters: true},
		{bytes: "fLaC", kind: audio, letters: true},
		{bytes: "MThd", kind: audio, letters: true},
		{bytes: "#!AMR", kind: audio, letters: true},
		{bytes: "OggS", kind: kind{name: "media", read: readInert, apart: true}, letters: true},
		{off: 8, bytes: "WAVE", kind: audio, letters: true},
		{off: 8, bytes: "AVI ", kind: video, letters: true},
		{off: 8, bytes: "AIFF", kind: audio, letters: true},
		{bytes: "RIFF", kind: kind{name: "media", read: readInert, apart: true}, letters: true},
		{bytes: "\x30\x26\xb2\x75\x8e\x66\xcf\x11", kind: video}, // ASF: wmv, wma
		{bytes: "\x1a\x45\xdf\xa3", kind: video},                 // Matroska, WebM
		{bytes: "\x00\x00\x01\xba", kind: video}, {bytes: "\x00\x00\x01\xb3", kind: video},
		{bytes: "FLV\x01", kind: video, letters: true},
		{bytes: "FWS", kind: video, letters: true}, {bytes: "CWS", kind: video, letters: true},
		{bytes: "wOFF", kind: font, letters: true}, {bytes: "wOF2", kind: font, letters: true},
		{bytes: "OTTO\x00", kind: font, letters: true}, {bytes: "ttcf\x00", kind: font, letters: true},
		{bytes: "\x00\x01\x00\x00\x00", kind: font},

		{bytes: "AC10", kind: drawing, letters: true}, {bytes: "AC1.", kind: drawing, letters: true},
		{bytes: "AutoCAD Binary DXF", kind: drawing},
		{bytes: "BLENDER", kind: drawing, letters: true},
		{off: 7, bytes: "CorelDRAW", kind: drawing}, {off: 8, bytes: "CDR", kind: drawing, letters: true},
		{bytes: "8BPS\x00", kind: drawing, letters: true}, // Photoshop
		{bytes: "SQLite format 3\x00", kind: database},
		{off: 4, bytes: "Standard Jet DB", kind: database}, {off: 4, bytes: "Standard ACE DB", kind: database},
		{bytes: "!BDN", kind: database, letters: true}, // Outlook's pst and ost
		{bytes: "\x1a\x00\x00\x04\x00\x00", kind: database},
		{bytes: "PAR1", kind: database, letters: true}, {bytes: "\x89HDF\r\n", kind: database},
		{bytes: "\x00\x06\x15\x61", kind: database}, // Berkeley
		{bytes: "conectix", kind: disk, letters: true}, {bytes: "vhdxfile", kind: disk, letters: true},
		{bytes: "KDMV", kind: disk, letters: true}, {bytes: "QFI\xfb", kind: disk},
		{bytes: "\x03\xd9\xa2\x9a", kind: keys}, // KeePass
		{bytes: "LUKS\xba\xbe", kind: keys}, {bytes: "Salted__", kind: keys, letters: true}, {bytes: "age-encryption.org/", kind: keys},
	}
}

// loose knows what has no fixed octets at its beginning.
func loose(s *source) (kind, bool) {
	b := s.data
	switch {
	case isCMS(b):
		return kind{name: "s/mime", read: readCMS, apart: true}, true
	case isCertificate(b):
		return kind{name: "certificate", read: readNothing, apart: true}, true
	case isKeyStore(b):
		return kind{name: "key store", read: readNothing, apart: true}, true
	case isPackets(b):
		return kind{name: "pgp", read: readPackets, apart: true}, true
	case isZlib(b):
		return kind{name: "zlib", read: readZlib, apart: true}, true
	case isLZMA(b):
		return kind{name: "lzma", read: readLZMA, apart: true}, true
	case isTar(b):
		return kind{name: "tar", read: readTar, apart: true}, true
	case isFilm(b):
		return kind{name: "video", read: readInert, apart: true}, true
	case isMP3(b):
		return kind{name: "audio", read: readInert, apart: true}, true
	case isDBF(b):
		return kind{name: "database", read: readOpaque, apart: true}, true
	case len(b) > 512 && string(b[len(b)-512:len(b)-508]) == "koly":
		return kind{name: "disk image", read: readOpaque, apart: true}, true
	}
	return kind{}, false
}

// isFilm knows the boxes of MP4, QuickTime and what is made like them; pictures (HEIC, AVIF)
// are none.
func isFilm(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	size := binary.BigEndian.Uint32(b)
	switch string(b[4:8]) {
	case "ftyp":
		switch string(b[8:12]) {
		case "heic", "heix", "mif1", "msf1", "avif", "avis", "hevc":
			return false
		}
		return size >= 8 && size < 4096 && b[0] == 0
	case "moov", "mdat", "wide", "skip", "free":
		return (size >= 8 || size == 1) && b[0] < 0x20
	}
	return false
}

// isMP3 wants two frames, one after the other.
func isMP3(b []byte) bool {
	n := mp3Frame(b)
	return n > 0 && n < len(b) && mp3Frame(b[n:]) > 0
}

var (
	mp3Rates = [16]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0}
	mp3Hertz = [4]int{44100, 48000, 32000, 0}
)

func mp3Frame(b []byte) int {
	if len(b) < 4 || b[0] != 0xff || b[1]&0xfe != 0xfa {
		return 0
	}
	rate, hertz := mp3Rates[b[2]>>4], mp3Hertz[b[2]>>2&3]
	if rate == 0 || hertz == 0 {
		return 0
	}
	return 144_000*rate/hertz + int(b[2]>>1&1)
}

// isDBF knows a dBASE table by its head: version, a date, the length of the head, and the
// octet that ends its list of fields.
func isDBF(b []byte) bool {
	if len(b) < 65 {
		return false
	}
	switch b[0] {
	case 0x02, 0x03, 0x04, 0x30, 0x31, 0x32, 0x43, 0x63, 0x83, 0x8b, 0xcb, 0xf5:
	default:
		return false
	}
	head, record := int(binary.LittleEndian.Uint16(b[8:])), binary.LittleEndian.Uint16(b[10:])
	return b[2] >= 1 && b[2] <= 12 && b[3] >= 1 && b[3] <= 31 && record > 0 && head > 32 && head%32 <= 8 && head <= len(b) &&
		bytes.IndexByte(b[64:head], 0x0d) >= 0
}

// isTar checks the sum over a header, which also old archives have.
func isTar(b []byte) bool {
	if len(b) < 512 || b[0] == 0 {
		return false
	}
	want, any := 0, false
	for _, c := range b[148:156] {
		if c >= '0' && c <= '7' {
			want, any = want*8+int(c-'0'), true
		} else if c != ' ' && c != 0 {
			return false
		}
	}
	sum := 8 * int(' ')
	for i, c := range b[:512] {
		if i < 148 || i >= 156 {
			sum += int(c)
		}
	}
	return any && sum == want
}

// readOpaque is a kind that is known, and that nobody can read for marks. What stands in it
// in clear counts all the same.
func readOpaque(w *walker, a at, s *source) {
	kind := w.res.Files[w.current].Kind
	w.gap(a, kind, Opaque, "nobody can read this kind of file for marks")
	w.strings(a, kind, s.data)
}

func readLockedBox(w *walker, a at, s *source) {
	w.res.Files[w.current].Locked = true
	w.gap(a, w.res.Files[w.current].Kind, Locked, "it is encrypted")
}

// readExecutable is a program. Whether programs may come is for the rules to say.
func readExecutable(w *walker, a at, s *source) {
	kind := w.res.Files[w.current].Kind
	w.strings(a, kind, s.data)
	if dense(s.data[:w.hidden(a, s.data, 64)]) {
		w.gap(a, kind, Opaque, "a program that is packed or encrypted")
	}
}

// readInert is what has no text: it passes. Its tags stand among the printable octets.
func readInert(w *walker, a at, s *source) {
	kind := w.res.Files[w.current].Kind
	w.strings(a, kind, s.data)
	w.hidden(a, s.data, 4)
	w.note(a, kind+" is not read")
}

// readUnknown is no kind that is known.
func readUnknown(w *walker, a at, s *source) {
	w.strings(a, "unknown binary", s.data)
	if dense(s.data[:w.hidden(a, s.data, 1)]) {
		w.gap(a, "unknown binary", Opaque, "octets of no known kind, compressed or encrypted")
	}
}
