package extract

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
)

// readCpio is a cpio in letters, old or new.
func readCpio(w *walker, a at, s *source) {
	b := w.bundle(a, "cpio")
	for rest := s.data; ; {
		name, data, next, ok := cpioFile(rest)
		if !ok {
			w.gap(a, "cpio", Damaged, "it breaks off")
			return
		}
		if rest = next; name == "TRAILER!!!" {
			b.rest(rest)
			return
		}
		if !b.add(name, bytes.NewReader(data), int64(len(data)), int64(len(data))) {
			return
		}
	}
}

// cpioFile is the next file: its name, its octets, and what stands behind it.
func cpioFile(b []byte) (name string, data, rest []byte, ok bool) {
	if bytes.HasPrefix(b, []byte("070707")) && len(b) >= 76 {
		n, err1 := strconv.ParseUint(string(b[59:65]), 8, 32)
		size, err2 := strconv.ParseUint(string(b[65:76]), 8, 40)
		if err1 != nil || err2 != nil || n == 0 || 76+n+size > uint64(len(b)) {
			return "", nil, nil, false
		}
		return string(b[76 : 76+n-1]), b[76+n : 76+n+size], b[76+n+size:], true
	}
	if len(b) < 110 || !bytes.HasPrefix(b, []byte("07070")) {
		return "", nil, nil, false
	}
	size, err1 := strconv.ParseUint(string(b[54:62]), 16, 32)
	n, err2 := strconv.ParseUint(string(b[94:102]), 16, 32)
	begin := (110 + n + 3) &^ 3
	if err1 != nil || err2 != nil || n == 0 || begin+size > uint64(len(b)) {
		return "", nil, nil, false
	}
	return string(b[110 : 110+n-1]), b[begin : begin+size], b[min(uint64(len(b)), begin+(size+3)&^3):], true
}

// readAr is an archive of ar(1): Debian packages are some.
func readAr(w *walker, a at, s *source) {
	b := w.bundle(a, "ar")
	for rest := s.data[8:]; len(bytes.TrimSpace(rest)) > 0; {
		if len(rest) < 60 || string(rest[58:60]) != "`\n" {
			w.gap(a, "ar", Damaged, "it breaks off")
			return
		}
		size, err := strconv.ParseUint(strings.TrimSpace(string(rest[48:58])), 10, 40)
		if err != nil || size > uint64(len(rest)-60) {
			w.gap(a, "ar", Damaged, "it breaks off")
			return
		}
		name := strings.TrimRight(string(rest[:16]), " /")
		if name == "" {
			name = "names"
		}
		data := rest[60 : 60+size]
		if !b.add(name, bytes.NewReader(data), int64(size), int64(size)) {
			return
		}
		rest = rest[min(uint64(len(rest)), 60+(size+1)&^1):]
	}
}

// readRpm is a package: a lead, two headers, and a compressed cpio.
func readRpm(w *walker, a at, s *source) {
	b := w.bundle(a, "rpm")
	at := uint64(96)
	for i := range 2 {
		if at+16 > uint64(len(s.data)) || !bytes.HasPrefix(s.data[at:], []byte("\x8e\xad\xe8\x01")) {
			w.gap(a, "rpm", Damaged, "it breaks off")
			return
		}
		n, size := uint64(binary.BigEndian.Uint32(s.data[at+8:])), uint64(binary.BigEndian.Uint32(s.data[at+12:]))
		at += 16 + 16*n + size
		if i == 0 {
			at = (at + 7) &^ 7
		}
	}
	if at > uint64(len(s.data)) {
		w.gap(a, "rpm", Damaged, "it breaks off")
		return
	}
	w.strings(a, "rpm", s.data[:at])
	payload := s.data[at:]
	b.add("content", bytes.NewReader(payload), int64(len(payload)), int64(len(payload)))
}

// readOldCpio is a cpio of binary numbers, in the order of the machine that made it.
func readOldCpio(w *walker, a at, s *source) {
	b := w.bundle(a, "cpio")
	var order binary.ByteOrder = binary.LittleEndian
	if s.data[0] == 0x71 {
		order = binary.BigEndian
	}
	for rest := s.data; ; {
		if len(rest) < 26 {
			w.gap(a, "cpio", Damaged, "it breaks off")
			return
		}
		n := uint64(order.Uint16(rest[20:]))
		size := uint64(order.Uint16(rest[22:]))<<16 | uint64(order.Uint16(rest[24:]))
		begin := 26 + (n+1)&^1
		if order.Uint16(rest) != 0o70707 || n == 0 || begin+size > uint64(len(rest)) {
			w.gap(a, "cpio", Damaged, "it breaks off")
			return
		}
		name, data := string(rest[26:26+n-1]), rest[begin:begin+size]
		if rest = rest[min(uint64(len(rest)), begin+(size+1)&^1):]; name == "TRAILER!!!" {
			b.rest(rest)
			return
		}
		if !b.add(name, bytes.NewReader(data), int64(size), int64(size)) {
			return
		}
	}
}
