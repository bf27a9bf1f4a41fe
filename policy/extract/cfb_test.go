package extract

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// A cfbFile is a stream for compoundOf; its name is a path with slashes.
type cfbFile struct {
	name string
	data []byte
}

// compoundOf makes a compound file of 512-octet sectors. Storages are made of the paths.
func compoundOf(files ...cfbFile) []byte {
	type entry struct {
		name        string
		kind        byte
		child, next uint32
		start, size uint32
		data        []byte
	}
	const none = 0xffffffff
	entries := []*entry{{name: "Root Entry", kind: 5, child: none, next: none}}
	index := map[string]uint32{"": 0}
	add := func(parent uint32, e *entry) uint32 {
		e.child = none
		e.next = entries[parent].child
		entries = append(entries, e)
		entries[parent].child = uint32(len(entries) - 1)
		return uint32(len(entries) - 1)
	}
	for _, f := range files {
		parent, path := uint32(0), ""
		names := strings.Split(f.name, "/")
		for _, n := range names[:len(names)-1] {
			path += "/" + n
			if _, ok := index[path]; !ok {
				index[path] = add(parent, &entry{name: n, kind: 1})
			}
			parent = index[path]
		}
		add(parent, &entry{name: names[len(names)-1], kind: 2, data: f.data, size: uint32(len(f.data))})
	}
	var sectors [][]byte
	var fat []uint32
	put := func(b []byte) uint32 {
		if len(b) == 0 {
			return 0xfffffffe
		}
		first := uint32(len(sectors))
		for i := 0; i < len(b); i += 512 {
			s := make([]byte, 512)
			copy(s, b[i:])
			sectors = append(sectors, s)
			fat = append(fat, uint32(len(sectors)))
		}
		fat[len(fat)-1] = 0xfffffffe
		return first
	}
	var mini []byte
	var miniFAT []uint32
	for _, e := range entries {
		switch {
		case e.kind != 2:
		case len(e.data) >= 4096:
			e.start = put(e.data)
		case len(e.data) == 0:
			e.start = 0xfffffffe
		default:
			e.start = uint32(len(mini) / 64)
			for i := 0; i < len(e.data); i += 64 {
				var s [64]byte
				copy(s[:], e.data[i:])
				mini = append(mini, s[:]...)
				miniFAT = append(miniFAT, uint32(len(mini)/64))
			}
			miniFAT[len(miniFAT)-1] = 0xfffffffe
		}
	}
	entries[0].start, entries[0].size = put(mini), uint32(len(mini))
	var dir []byte
	for _, e := range entries {
		b := make([]byte, 128)
		u := utf16.Encode([]rune(e.name))
		for i, c := range u {
			le.PutUint16(b[2*i:], c)
		}
		le.PutUint16(b[64:], uint16(2*len(u)+2))
		b[66], b[67] = e.kind, 1
		le.PutUint32(b[68:], none)
		le.PutUint32(b[72:], e.next)
		le.PutUint32(b[76:], e.child)
		le.PutUint32(b[116:], e.start)
		le.PutUint32(b[120:], e.size)
		dir = append(dir, b...)
	}
	dirAt := put(dir)
	var raw []byte
	for _, n := range miniFAT {
		raw = binary.LittleEndian.AppendUint32(raw, n)
	}
	for len(raw)%512 != 0 {
		raw = append(raw, 0xff)
	}
	miniAt := put(raw)
	fats := (len(fat) + 128) / 127
	head := make([]byte, 512)
	copy(head, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	for i := 76; i < 512; i++ {
		head[i] = 0xff
	}
	le.PutUint16(head[24:], 0x3e)
	le.PutUint16(head[26:], 3)
	le.PutUint16(head[28:], 0xfffe)
	le.PutUint16(head[30:], 9)
	le.PutUint16(head[32:], 6)
	le.PutUint32(head[44:], uint32(fats))
	le.PutUint32(head[48:], dirAt)
	le.PutUint32(head[56:], 4096)
	le.PutUint32(head[60:], miniAt)
	le.PutUint32(head[64:], uint32(len(raw)/512))
	le.PutUint32(head[68:], 0xfffffffe)
	for i := range fats {
		le.PutUint32(head[76+4*i:], uint32(len(sectors)+i))
		fat = append(fat, 0xfffffffd)
	}
	out := slices.Concat(head, bytes.Join(sectors, nil))
	for i := range fats * 128 {
		n := uint32(none)
		if i < len(fat) {
			n = fat[i]
		}
		out = binary.LittleEndian.AppendUint32(out, n)
	}
	return out
}

// fixture is a file of testdata, unpacked.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(name, ".gz") {
		return b
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return b
}

// expect looks for units "place|text" in what was found, and for gaps that should not be.
func expect(t *testing.T, r *Result, wants ...string) {
	t.Helper()
	for _, want := range wants {
		place, text, _ := strings.Cut(want, "|")
		ok := false
		for _, p := range r.Parts {
			for _, u := range p.Units {
				ok = ok || string(u.Place) == place && u.Text == text
			}
		}
		if !ok {
			t.Errorf("%q not found in\n%s", want, strings.Join(found(r), "\n"))
		}
	}
	for _, g := range r.Gaps {
		t.Errorf("gap %+v", g)
	}
}

// oneGap expects nothing else to be told.
func oneGap(t *testing.T, r *Result, reason Reason) {
	t.Helper()
	if len(r.Gaps) != 1 || r.Gaps[0].Reason != reason {
		t.Errorf("gaps %+v, want one: %s", r.Gaps, reason)
	}
}

func utf16Text(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// Documents as an office suite of our days writes them.
func TestOldDocuments(t *testing.T) {
	for name, wants := range map[string][]string{
		"surat.doc": {"heading|Tajuk Besar", "paragraph|Perenggan biasa: “petikan” – sengkang é.", "page-header|KEPALA MUKA SURAT", "page-footer|KAKI MUKA SURAT",
			"hidden|teks tersembunyi", "deleted|ayat yang dipadam", "notes|Nota kaki pertama", "notes|Nota hujung", "comment|Komen pegawai", "stamp|Isi kotak teks",
			"cell|Terbuka", "list-item|Butiran dua", "paragraph|رهسيا بسر", "metadata|Klasifikasi: Terhad", "metadata|title: Kertas kerja bekalan air", "metadata|MSIP_Label_1f2c_Enabled: true"},
		"lembaran.xls": {"file-name|Tersorok", "page-header|KEPALA CETAKAN", "page-footer|KAKI CETAKAN", "cell|Kertas A4 – putih رهسيا", "cell|12.5", "cell|Sel tersorok",
			"comment|Ulasan sel", "metadata|Klasifikasi: Terhad"},
		"slaid.ppt.gz": {"page-footer|Kaki slaid", "paragraph|Isi slaid satu", "paragraph|Baris kedua رهسيا", "paragraph|Isi slaid dua", "notes|Nota penceramah", "master|Second Outline Level"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, read(t, name, fixture(t, name)), wants...) })
	}
}

// How text looks decides whether a mark is struck out, or shown in capitals.
func TestWordLooks(t *testing.T) {
	r := read(t, "surat.doc", fixture(t, "surat.doc"))
	want := map[string]Style{"Tebal merah": Bold | Red | Large | Centred, "SELURUHNYA DIPOTONG": Struck, "huruf besar": ShownCaps, "gaya huruf besar": ShownCaps, "Ayat akhir.": 0}
	for _, p := range r.Parts {
		for _, u := range p.Units {
			if s, ok := want[u.Text]; ok {
				delete(want, u.Text)
				if u.Style != s {
					t.Errorf("%q: style %b, want %b", u.Text, u.Style, s)
				}
			}
			if u.Text == "Dua" && (u.Row != 2 || u.Col != 2) {
				t.Errorf("a cell in row %d, column %d", u.Row, u.Col)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
}

func TestCompound(t *testing.T) {
	big := bytes.Repeat([]byte("kandungan panjang "), 400)
	r := read(t, "a.bin", compoundOf(cfbFile{"Contents", big}, cfbFile{"Dalam/nota", utf16Text("RAHSIA BESAR")}))
	expect(t, r, "strings|RAHSIA BESAR", "strings|"+strings.TrimSpace(string(big)))
	oneGap(t, read(t, "a.docx", compoundOf(cfbFile{"EncryptedPackage", big}, cfbFile{"EncryptionInfo", []byte("x")})), Locked)
	oneGap(t, read(t, "a.doc", compoundOf(cfbFile{"\tDRMContent", big})), Locked)
	oneGap(t, read(t, "a.ppt", compoundOf(cfbFile{"EncryptedSummary", big}, cfbFile{"PowerPoint Document", big})), Locked)
	oneGap(t, read(t, "a.vsd", compoundOf(cfbFile{"VisioDocument", big})), Opaque)
	r = read(t, "vbaProject.bin", compoundOf(cfbFile{"PROJECT", big}, cfbFile{"VBA/dir", big}))
	if expect(t, r); !r.Files[0].Macros {
		t.Error("macros are not told of")
	}
}

// An archive behind a document is read, whoever may open it.
func TestBehindCompound(t *testing.T) {
	whole := fixture(t, "lembaran.xls")
	expect(t, read(t, "a.xls", append(bytes.Clone(whole), zipped(t, "b.txt", "RAHSIA")...)), "paragraph|RAHSIA", "cell|Nama barang")
	if r := read(t, "a.xls", append(bytes.Clone(whole), make([]byte, 4096)...)); len(r.Gaps) > 0 || len(r.Files) != 1 {
		t.Errorf("zeros behind it: %+v, files %+v", r.Gaps, r.Files)
	}
}

// A directory that goes in circles, streams in circles, sizes of gibibytes.
func TestPoisonedCompound(t *testing.T) {
	whole := compoundOf(cfbFile{"WordDocument", bytes.Repeat([]byte("a"), 9000)}, cfbFile{"1Table", []byte("b")})
	for name, change := range map[string]func(b []byte){
		"directory of a circle": func(b []byte) {
			fat := 512 * (1 + int(le.Uint32(b[76:])))
			dir := le.Uint32(b[48:])
			le.PutUint32(b[fat+4*int(dir):], dir)
		},
		"huge FAT":         func(b []byte) { le.PutUint32(b[44:], 0x7fffffff) },
		"huge mini FAT":    func(b []byte) { le.PutUint32(b[64:], 0x7fffffff) },
		"huge DIFAT":       func(b []byte) { le.PutUint32(b[72:], 0x7fffffff) },
		"sector of 2^31":   func(b []byte) { b[30] = 31 },
		"child of itself":  func(b []byte) { le.PutUint32(b[512*(1+int(le.Uint32(b[48:])))+76:], 0) },
		"stream of 4 GiB":  func(b []byte) { le.PutUint32(b[512*(1+int(le.Uint32(b[48:])))+128+120:], 0xfffffff0) },
		"stream in itself": func(b []byte) { fat := 512 * (1 + int(le.Uint32(b[76:]))); le.PutUint32(b[fat+4*3:], 1) },
	} {
		b := bytes.Clone(whole)
		change(b)
		if r := read(t, "a.doc", b); len(r.Gaps) == 0 {
			t.Errorf("%s: no gap in %q", name, found(r))
		}
	}
}

// Whatever is cut off or changed: an answer, and no panic.
func TestDamagedDocuments(t *testing.T) {
	all := map[string][]byte{
		"surat.doc": fixture(t, "surat.doc"), "lembaran.xls": fixture(t, "lembaran.xls"), "slaid.ppt": fixture(t, "slaid.ppt.gz")[:32<<10],
		"surat.rtf": fixture(t, "surat.rtf"), "kongsi.xls": fixture(t, "kongsi.xls"), "stamp.emf": emfOf("satu", "dua"),
		"pesan.msg":   compoundOf(messageOf("", 32, map[string][]byte{"0037001F": utf16Text("a"), "10090102": packedRTF(`{\rtf1 isi}`)})...),
		"winmail.dat": tnefOf(attribute(1, 0x69003, mapiList(1, mapiOf(0x10090102, packedRTF(`{\rtf1 isi}`)))), attribute(2, 0x6800f, []byte("isi"))),
	}
	for name, b := range all {
		step := 1 + len(b)/150
		if testing.Short() {
			step *= 5
		}
		for i := 0; i < len(b); i += step {
			cut := read(t, name, b[:i])
			bad := bytes.Clone(b)
			for k := i; k < min(i+4, len(b)); k++ {
				bad[k] ^= 0xff
			}
			for _, g := range append(cut.Gaps, read(t, name, bad).Gaps...) {
				if g.Why == "the reader failed on it" {
					t.Fatalf("%s at %d: a reader panicked", name, i)
				}
			}
			if i > 8 && i < len(b)-512 && len(cut.Gaps) == 0 && (strings.HasSuffix(name, ".doc") || strings.HasSuffix(name, ".xls")) {
				t.Errorf("%s cut at %d of %d: nothing is said", name, i, len(b))
			}
		}
	}
}

func FuzzCompound(f *testing.F) {
	for _, name := range []string{"surat.doc", "lembaran.xls"} {
		f.Add(fixture(f, name))
	}
	f.Add(fixture(f, "slaid.ppt.gz")[:40<<10])
	f.Add(compoundOf(cfbFile{"A/B", []byte("isi")}))
	f.Fuzz(fuzzed)
}

// fuzzed reads b in a small budget: nothing may panic.
func fuzzed(t *testing.T, b []byte) {
	r := read(t, "a.bin", b)
	for _, g := range r.Gaps {
		if g.Why == "the reader failed on it" {
			t.Errorf("a reader panicked: %+v", g)
		}
	}
}
