package extract

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The archives in testdata were made by the usual tools; each holds a letter with a mark.
func TestArchives(t *testing.T) {
	unread := map[string]Reason{
		"aes.zip": Locked, "zipcrypto.zip": Locked, "locked.7z": Locked, "locked-names.7z": Locked, "locked-copy.7z": Locked,
		"deflate64.zip": Damaged, "ppmd.zip": Damaged, "sparse.tar.gz": TooMuch, "surat.wim": Opaque,
	}
	files, err := filepath.Glob("testdata/archives/*")
	if err != nil || len(files) < 30 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(f)
		r := read(t, name, content)
		all := strings.Join(found(r), "\n")
		why, no := unread[name]
		switch {
		case no && (len(r.Gaps) == 0 || r.Gaps[0].Reason != why):
			t.Errorf("%s: gaps %v", name, r.Gaps)
		case !no && len(r.Gaps) > 0:
			t.Errorf("%s: gaps %v", name, r.Gaps)
		case name == "link.tar.gz":
			if !strings.Contains(all, "|RAHSIA.pdf") {
				t.Errorf("%s: %.300q", name, all)
			}
		case !no && !strings.Contains(all, "|SULIT"):
			t.Errorf("%s: %.300q", name, all)
		}
		if why == Locked && !r.Files[0].Locked {
			t.Errorf("%s: not said to be locked: %+v", name, r.Files)
		}
		switch name {
		case "aes.zip", "zipcrypto.zip", "solid.7z", "gnu.tar.gz":
			if !strings.Contains(all, "|RAHSIA") {
				t.Errorf("%s: the folder's name is lost: %.300q", name, all)
			}
		}
	}
}

// stored is the local header and content of a file that no list names.
func stored(name, content string) string {
	h := make([]byte, 30)
	copy(h, "PK\x03\x04\x14\x00")
	binary.LittleEndian.PutUint32(h[18:], uint32(len(content)))
	binary.LittleEndian.PutUint32(h[22:], uint32(len(content)))
	binary.LittleEndian.PutUint16(h[26:], uint16(len(name)))
	return string(h) + name + content
}

func TestZipTricks(t *testing.T) {
	plain := string(zipped(t, "a.txt", "isi"))
	list := strings.Index(plain, "PK\x01\x02")
	renamed := strings.Replace(plain, "a.txt", "RAHSIA.txt"[:5], 1) // in the local header alone
	for name, c := range map[string]struct {
		content, want string
		gap           Reason
	}{
		"a file that only its header names": {stored("b.txt", "SULIT") + plain, "b.txt|SULIT", ""},
		"the same, at the end":              {plain[:list] + stored("b.txt", "SULIT") + plain[list:], "", Damaged},
		"without a list":                    {stored("b.txt", "SULIT") + stored("c.txt", "isi"), "b.txt|SULIT", Damaged},
		"another name in the header":        {renamed, "|RAHSI", ""},
		"behind the end":                    {plain + "\x00\x00\x01\x02RAHSIA\x00\x00", "strings|body|RAHSIA", ""},
		"before the beginning":              {"RAHSIA\x00\x00\x01\x02" + plain, "strings|body|RAHSIA", ""},
		"two in a row":                      {string(zipped(t, "b.txt", "SULIT")) + plain, "b.txt|SULIT", ""},
		"more behind it than a list may be": {string(zipped(t, "b.txt", "SULIT")) + strings.Repeat("\x90\x00", 100_000), "b.txt|SULIT", Damaged},
		"truncated":                         {string(zipped(t, "b.txt", "SULIT", "c.txt", strings.Repeat("isi", 10_000)))[:90], "b.txt|SULIT", Damaged},
		"comment":                           {commented(t, "SULIT"), "paragraph|body|SULIT", ""},
		"the same name twice":               {string(zipped(t, "b.txt", "SULIT", "b.txt", "isi")), "b.txt|SULIT", ""},
		"document with a name twice":        {string(zipped(t, types, "", "word/document.xml", "<w:p/>", "word/document.xml", "<w:p> </w:p>")), "", Damaged},
		"odd names":                         {string(zipped(t, "../../SULIT.txt", "isi", "b\x00.txt", "isi", "/c.txt", "isi", "\u202etxt.d", "isi")), "file-name|SULIT.txt|SULIT.txt", ""},
		"a folder's name":                   {string(zipped(t, "RAHSIA/", "", "RAHSIA/a.txt", "isi")), "|RAHSIA", ""},
		"a folder of backslashes":           {string(zipped(t, `RAHSIA\a.txt`, "isi")), "|RAHSIA", ""},
	} {
		r := read(t, "a.zip", []byte(c.content))
		all := strings.Join(found(r), "\n")
		if !strings.Contains(all, c.want) {
			t.Errorf("%s: %.500q, gaps %v", name, all, r.Gaps)
		}
		if (len(r.Gaps) > 0) != (c.gap != "") || c.gap != "" && r.Gaps[0].Reason != c.gap {
			t.Errorf("%s: gaps %v", name, r.Gaps)
		}
	}
}

func commented(t *testing.T, comment string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if err := w.SetComment(comment); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Create("a.txt"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gzipped(t testing.TB, name, content string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Name = name
	if _, err := z.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestStreams(t *testing.T) {
	for name, c := range map[string]struct {
		content, want string
		gaps          int
	}{
		"two members":      {gzipped(t, "a.txt", "satu\n") + gzipped(t, "RAHSIA.txt", "SULIT\n"), "|SULIT", 0},
		"a member's name":  {gzipped(t, "a.txt", "satu\n") + gzipped(t, "RAHSIA.txt", "dua\n"), "|RAHSIA.txt", 0},
		"more behind it":   {gzipped(t, "a.txt", "satu\n") + "\x01\x02RAHSIA\x00\x00", "|RAHSIA", 0},
		"a zip behind it":  {gzipped(t, "a.txt", "satu\n") + string(zipped(t, "b.txt", "SULIT")), "b.txt|SULIT", 0},
		"it breaks off":    {gzipped(t, "a.txt", "SULIT\n"+string(chanced(9000)))[:4000], "SULIT", 2},
		"tar behind a tar": {oldTar("a.txt", "isi") + oldTar("b.txt", "SULIT"), "b.txt|SULIT", 0},
		"tar, bad header":  {oldTar("a.txt", "isi")[:1024] + strings.Repeat("x", 512) + oldTar("b.txt", "SULIT"), "b.txt|SULIT", 1},
		"cabinet":          {cab(t, "RAHSIA\\a.txt", "Perkara\n", "SULIT\n"), "a.txt|SULIT", 0},
		"compress":         {string(compressed([]byte(strings.Repeat("satu dua tiga\n", 3000) + "SULIT\n"))), "|SULIT", 0},
		"CD":               {iso("SURAT.TXT", "SULIT\r\n"), "SURAT.TXT|SULIT", 0},
		"lzip":             {lzipped(t), "|SULIT", 0},
	} {
		r := read(t, "a", []byte(c.content))
		all := strings.Join(found(r), "\n")
		if !strings.Contains(all, c.want) || len(r.Gaps) != c.gaps {
			t.Errorf("%s: %.300q, gaps %v", name, all, r.Gaps)
		}
	}
}

// lzipped makes an lzip of the same letter of LZMA alone.
func lzipped(t *testing.T) string {
	b, err := os.ReadFile("testdata/archives/surat.txt.lzma")
	if err != nil {
		t.Fatal(err)
	}
	return "LZIP\x01\x17" + string(b[13:]) + strings.Repeat("\x00", 20)
}

// cab is a cabinet of one folder in two blocks, the second of which needs the first.
func cab(t *testing.T, name string, blocks ...string) string {
	var data bytes.Buffer
	var last []byte
	whole := 0
	for _, b := range blocks {
		var z bytes.Buffer
		w, err := flate.NewWriterDict(&z, 9, last)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(b)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		h := make([]byte, 8)
		binary.LittleEndian.PutUint16(h[4:], uint16(z.Len()+2))
		binary.LittleEndian.PutUint16(h[6:], uint16(len(b)))
		data.Write(h)
		data.WriteString("CK")
		data.Write(z.Bytes())
		last = append(last, b...)
		whole += len(b)
	}
	h := make([]byte, 36+8+16)
	copy(h, "MSCF")
	files := 36 + 8
	begin := files + 16 + len(name) + 1
	u16, u32 := binary.LittleEndian.PutUint16, binary.LittleEndian.PutUint32
	u32(h[8:], uint32(begin+data.Len()))
	u32(h[16:], uint32(files))
	u16(h[24:], 0x0103)
	u16(h[26:], 1)
	u16(h[28:], 1)
	u32(h[36:], uint32(begin))
	u16(h[40:], uint16(len(blocks)))
	u16(h[42:], 1)
	u32(h[44:], uint32(whole))
	return string(h) + name + "\x00" + data.String()
}

// compressed is what compress(1) makes of b; gzip -d reads it too.
func compressed(b []byte) []byte {
	out := []byte{0x1f, 0x9d, 0x80 | 12}
	table := map[[2]int]int{}
	free, width, begin, pos := 257, 9, 0, 0
	var bits []byte
	put := func(c int) {
		for i := range width {
			if pos/8 >= len(bits) {
				bits = append(bits, 0)
			}
			bits[pos/8] |= byte(c>>i&1) << (pos % 8)
			pos++
		}
	}
	cur := -1
	for _, c := range b {
		if cur < 0 {
			cur = int(c)
			continue
		}
		if next, ok := table[[2]int{cur, int(c)}]; ok {
			cur = next
			continue
		}
		put(cur)
		if free < 1<<12 {
			table[[2]int{cur, int(c)}] = free
			free++
			if free > 1<<width && width < 12 {
				for (pos-begin)%(width*8) != 0 {
					pos++
					for pos > 8*len(bits) {
						bits = append(bits, 0)
					}
				}
				begin = pos
				width++
			}
		}
		cur = int(c)
	}
	put(cur)
	return append(out, bits...)
}

// iso is the image of a CD with one file.
func iso(name, content string) string {
	b := make([]byte, 20*sector)
	record := func(dst []byte, at, size int, flags byte, id string) int {
		n := (33 + len(id) + 1) &^ 1
		dst[0] = byte(n)
		binary.LittleEndian.PutUint32(dst[2:], uint32(at))
		binary.LittleEndian.PutUint32(dst[10:], uint32(size))
		dst[25], dst[32] = flags, byte(len(id))
		copy(dst[33:], id)
		return n
	}
	copy(b[16*sector:], "\x01CD001\x01")
	record(b[16*sector+156:], 18, sector, 2, "\x00")
	copy(b[17*sector:], "\xffCD001\x01")
	n := record(b[18*sector:], 18, sector, 2, "\x00")
	record(b[18*sector+n:], 19, len(content), 0, name+";1")
	copy(b[19*sector:], content)
	return string(b)
}
