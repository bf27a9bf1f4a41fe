package extract

import "errors"

// lzfuStart is what the window of compressed RTF begins with [MS-OXRTFCP 2.1.2.1].
const lzfuStart = `{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript ` +
	`\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0` + "\r\n" +
	`\par \pard\plain\f0\fs20\b\i\u\tab\tx`

var (
	errNotPacked = errors.New("no compressed RTF")
	errPacked    = errors.New("compressed RTF that is damaged")
)

// unpackRTF undoes the compression of RTF in messages. What could be unpacked comes with
// the error.
func (w *walker) unpackRTF(b []byte) ([]byte, error) {
	if len(b) < 16 {
		return nil, errNotPacked
	}
	packed, size, magic := int64(le.Uint32(b)), int64(le.Uint32(b[4:])), string(b[8:12])
	in := b[16:]
	var err error
	if n := packed - 12; n < 0 || n > int64(len(in)) {
		err = errPacked
	} else {
		in = in[:n]
	}
	switch magic {
	case "MELA":
		return in[:min(size, int64(len(in)))], err
	case "LZFu":
	default:
		return nil, errNotPacked
	}
	// A reference of two octets gives 17: more cannot come out.
	if size = min(size, 9*int64(len(in))+17); !w.spend(size) {
		return nil, errBudget
	}
	out, ended := unLZ(in, int(size))
	if !ended && int64(len(out)) < size { // checksums are left at zero by many writers: none is asked for
		err = errPacked
	}
	return out, err
}

// unLZ is the compression itself: a window of 4096 octets, and references into it. It ends
// with a reference to where it stands.
func unLZ(in []byte, size int) (out []byte, ended bool) {
	var window [4096]byte
	at := copy(window[:], lzfuStart)
	out = make([]byte, 0, size)
	put := func(c byte) {
		out = append(out, c)
		window[at] = c
		at = (at + 1) % len(window)
	}
	for len(in) > 0 && len(out) < size {
		flags := in[0]
		in = in[1:]
		for bit := 0; bit < 8 && len(out) < size; bit++ {
			if flags>>bit&1 == 0 {
				if len(in) < 1 {
					return out, false
				}
				put(in[0])
				in = in[1:]
				continue
			}
			if len(in) < 2 {
				return out, false
			}
			ref := int(in[0])<<8 | int(in[1])
			in = in[2:]
			from, n := ref>>4, ref&15+2
			if from == at {
				return out, true
			}
			for range n {
				put(window[from])
				from = (from + 1) % len(window)
			}
		}
	}
	return out, len(out) >= size
}
