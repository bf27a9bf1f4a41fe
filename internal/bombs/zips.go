package bombs

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	_ "embed"
	"encoding/binary"
	"fmt"
)

// A zip that holds itself, as Russ Cox described it in 2010.
//
//go:embed data/r.zip
var quine []byte

func zips() []Bomb {
	return []Bomb{
		{Name: "flat.zip", Make: func() []byte { return packed(file{"nol.bin", zeros(1 << 10), 1 << 30}) }},
		{Name: "flat-text.zip", Make: func() []byte { return packed(file{"surat.txt", repeated("satu dua tiga\n", 64<<20), 64 << 20}) }},
		{Name: "many-large.zip", Make: func() []byte {
			var all []file
			z := zeros(10)
			for i := range 1500 {
				all = append(all, file{fmt.Sprint(i, ".bin"), z, 10 << 20})
			}
			return packed(all...)
		}},
		{Name: "nested.zip", Make: nested},
		{Name: "deep.zip", Make: deep},
		{Name: "quine.zip", Make: func() []byte { return bytes.Clone(quine) }},
		{Name: "overlapping.zip", Make: overlapping},
		{Name: "quoted.zip", Make: quotedZip},
		{Name: "entries.zip", Make: func() []byte { return entries(100_000) }},
		{Name: "names.zip", Make: func() []byte {
			var all []file
			for i := range 100 {
				all = append(all, file{fmt.Sprint(i) + string(bytes.Repeat([]byte("a/"), 30_000)), nil, 0})
			}
			return packed(all...)
		}},
	}
}

// zeros is deflate for n MiB of zeros: one stretch, said over and over.
func zeros(n int) []byte { return stretch(make([]byte, 1<<20), n) }

// repeated is deflate for n octets of a text said over and over.
func repeated(text string, n int) []byte {
	block := bytes.Repeat([]byte(text), 1<<20/len(text))
	return stretch(block, n/len(block))
}

// stretch is deflate for block n times.
func stretch(block []byte, n int) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, 9)
	if err != nil {
		panic(err) // the level is right
	}
	flush := func() int {
		w.Write(block)
		w.Flush()
		return out.Len()
	}
	one := flush()
	two := flush() // it knows the block before it, and so do all that follow
	again := bytes.Clone(out.Bytes()[one:two])
	for range n - 2 {
		out.Write(again)
	}
	out.Write([]byte{3, 0}) // the last block is empty
	return out.Bytes()
}

// A file of a zip, deflated already; with nothing in it, it is empty.
type file struct {
	name string
	body []byte
	size uint32
}

// packed is a zip of files. Sums are zero: whoever gets so far has opened them.
func packed(files ...file) []byte {
	var body, list bytes.Buffer
	for _, f := range files {
		at := body.Len()
		body.Write(local(f))
		body.Write(f.body)
		list.Write(listed(f, at))
	}
	return finish(&body, &list, len(files))
}

func local(f file) []byte {
	h := make([]byte, 30, 30+len(f.name))
	copy(h, "PK\x03\x04\x14\x00")
	if f.size > 0 {
		h[8] = 8
	}
	binary.LittleEndian.PutUint32(h[18:], uint32(len(f.body)))
	binary.LittleEndian.PutUint32(h[22:], f.size)
	binary.LittleEndian.PutUint16(h[26:], uint16(len(f.name)))
	return append(h, f.name...)
}

func listed(f file, at int) []byte {
	h := make([]byte, 46, 46+len(f.name))
	copy(h, "PK\x01\x02\x14\x00\x14\x00")
	if f.size > 0 {
		h[10] = 8
	}
	binary.LittleEndian.PutUint32(h[20:], uint32(len(f.body)))
	binary.LittleEndian.PutUint32(h[24:], f.size)
	binary.LittleEndian.PutUint16(h[28:], uint16(len(f.name)))
	binary.LittleEndian.PutUint32(h[42:], uint32(at))
	return append(h, f.name...)
}

func finish(body, list *bytes.Buffer, n int) []byte {
	e := make([]byte, 22)
	copy(e, "PK\x05\x06")
	binary.LittleEndian.PutUint16(e[8:], uint16(n))
	binary.LittleEndian.PutUint16(e[10:], uint16(n))
	binary.LittleEndian.PutUint32(e[12:], uint32(list.Len()))
	binary.LittleEndian.PutUint32(e[16:], uint32(body.Len()))
	body.Write(list.Bytes())
	body.Write(e)
	return body.Bytes()
}

func zipOf(names []string, content []byte) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, n := range names {
		f, err := w.Create(n)
		if err != nil {
			panic(err) // memory takes all
		}
		f.Write(content)
	}
	w.Close()
	return b.Bytes()
}

// nested is sixteen zips in each of sixteen, six times, with a large file at the bottom: the
// form of 42.zip.
func nested() []byte {
	b := packed(file{"nol.bin", zeros(64), 64 << 20})
	var names []string
	for i := range 16 {
		names = append(names, fmt.Sprintf("lib %x.zip", i))
	}
	for range 6 {
		b = zipOf(names, b)
	}
	return b
}

// deep is a thousand zips, one in the other.
func deep() []byte {
	b := []byte("isi")
	for range 1000 {
		b = zipOf([]string{"a.zip"}, b)
	}
	return b
}

// overlapping is a list of ten thousand files that are all one.
func overlapping() []byte {
	f := file{"a", zeros(60), 60 << 20}
	var body, list bytes.Buffer
	body.Write(local(f))
	body.Write(f.body)
	for i := range 10_000 {
		f.name = fmt.Sprint(i)
		list.Write(listed(f, 0))
	}
	return finish(&body, &list, 10_000)
}

// quotedZip is as David Fifield described it in 2019: each file says the headers of all
// that follow as stored blocks, and ends with the same kernel.
func quotedZip() []byte {
	const files = 250
	kernel := zeros(20)
	bodies := make([][]byte, files)
	bodies[files-1] = kernel
	for i := files - 2; i >= 0; i-- {
		next := local(file{fmt.Sprintf("%03d", i+1), bodies[i+1], uint32(20<<20 + 33*(files-2-i))})
		block := binary.LittleEndian.AppendUint16([]byte{0}, uint16(len(next)))
		block = binary.LittleEndian.AppendUint16(block, ^uint16(len(next)))
		bodies[i] = append(append(block, next...), bodies[i+1]...)
	}
	var body, list bytes.Buffer
	body.Write(local(file{"000", bodies[0], uint32(20<<20 + 33*(files-1))}))
	at := 0
	for i := range files {
		f := file{fmt.Sprintf("%03d", i), bodies[i], uint32(20<<20 + 33*(files-1-i))}
		list.Write(listed(f, at))
		at += 33 + 5
	}
	body.Write(bodies[0])
	return finish(&body, &list, files)
}

// entries is a zip of n empty files, with the list that more than 65,535 need.
func entries(n int) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range n {
		if _, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprint(i, ".txt")}); err != nil {
			panic(err) // memory takes all
		}
	}
	w.Close()
	return b.Bytes()
}
