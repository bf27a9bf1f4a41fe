package extract

import (
	"bytes"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha1"
)

// A workbook whose structure is protected is encrypted with a password that every Excel
// knows: whoever gets it can read it, so it is read here [MS-OFFCRYPTO 2.3.7.1].
const everybodys = "VelvetSweatshop"

// unlock tries the password that everybody knows; false if it is another one.
func (r *workbookReader) unlock(b []byte) bool {
	key := workbookKey(b)
	if key == nil || !r.w.spend(int64(len(r.b))) {
		return false
	}
	out := bytes.Clone(r.b)
	var stream [1024]byte
	block := -1
	for i := r.i; i+4 <= len(out); { // the heads of records are in clear
		kind, n := le.Uint16(out[i:]), int(le.Uint16(out[i+2:]))
		i += 4
		from, to := i, min(i+n, len(out))
		i += n
		switch kind {
		case xlsBegin, xlsLocked, 0x00e1, 0x0138, 0x0194, 0x0195, 0x0196:
			continue
		case xlsSheet: // where it begins is in clear too
			from = min(from+4, to)
		}
		for p := from; p < to; p++ {
			if p/len(stream) != block {
				block = p / len(stream)
				clear(stream[:])
				c, err := rc4.NewCipher(key(uint32(block)))
				if err != nil {
					return false
				}
				c.XORKeyStream(stream[:], stream[:])
			}
			out[p] ^= stream[p%len(stream)]
		}
	}
	r.b = out
	return true
}

// workbookKey makes the key of each block; nil if the password is not everybody's, or the
// method another.
func workbookKey(b []byte) func(block uint32) []byte {
	if len(b) < 6 || le.Uint16(b) != 1 {
		return nil
	}
	major, minor := le.Uint16(b[2:]), le.Uint16(b[4:])
	b = b[6:]
	switch {
	case major == 1 && minor == 1 && len(b) >= 48:
		key := oldKey(b[:16])
		return checked(key, b[16:32], b[32:48], func(b []byte) []byte { s := md5.Sum(b); return s[:] })
	case major >= 2 && major <= 4 && minor == 2 && len(b) >= 8:
		head := int64(le.Uint32(b[4:]))
		b = b[8:]
		if head < 32 || head+60 > int64(len(b)) {
			return nil
		}
		bits := le.Uint32(b[16:])
		v := b[head:]
		key := newKey(v[4:20], int(bits/8))
		return checked(key, v[20:36], v[40:60], func(b []byte) []byte { s := sha1.Sum(b); return s[:] })
	}
	return nil
}

// oldKey is the derivation of Excel 97 [MS-OFFCRYPTO 2.3.6.2].
func oldKey(salt []byte) func(uint32) []byte {
	h := md5.Sum(utf16Octets(everybodys))
	mixed := md5.Sum(bytes.Repeat(append(h[:5:5], salt...), 16))
	return func(block uint32) []byte {
		k := md5.Sum(le.AppendUint32(mixed[:5:5], block))
		return k[:]
	}
}

// newKey is the derivation of Excel 2002 [MS-OFFCRYPTO 2.3.5.2].
func newKey(salt []byte, n int) func(uint32) []byte {
	h := sha1.Sum(append(bytes.Clone(salt), utf16Octets(everybodys)...))
	if n <= 0 || n > len(h) {
		n = 5
	}
	return func(block uint32) []byte {
		k := sha1.Sum(le.AppendUint32(h[:len(h):len(h)], block))
		if n == 5 {
			return append(k[:5:5], make([]byte, 11)...)
		}
		return k[:n]
	}
}

// checked is key, if it opens what the workbook holds to check it by.
func checked(key func(uint32) []byte, verifier, sum []byte, hash func([]byte) []byte) func(uint32) []byte {
	c, err := rc4.NewCipher(key(0))
	if err != nil {
		return nil
	}
	plain, want := make([]byte, len(verifier)), make([]byte, len(sum))
	c.XORKeyStream(plain, verifier)
	c.XORKeyStream(want, sum)
	if !bytes.Equal(hash(plain), want) {
		return nil
	}
	return key
}

func utf16Octets(s string) []byte {
	var b []byte
	for i := range len(s) {
		b = append(b, s[i], 0)
	}
	return b
}
