// Package carriers has one marked document of each kind that mail carries, for tests of
// what must be found in all of them. Each holds the mark RAHSIA and the word [Canary].
// Only tests use it.
package carriers

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image/png"
	"io"
	"path"
	"strings"
	"unicode/utf16"

	"sampul/internal/drawn"
)

// Canary stands in the text of every carrier, so that what was refused can be looked for.
const Canary = "KENARIB7Q2X9"

// Mark is what every carrier is marked with.
const Mark = "RAHSIA"

// A Carrier is one file.
type Carrier struct {
	Name    string
	Content []byte
	OCR     bool // it is a picture: without a program that reads those its mark is not found
}

// made are documents that office programs and archivers have written.
//
//go:embed testdata
var made embed.FS

const minutes = Mark + "\r\n\r\nPerkara " + Canary + " dibincangkan.\r\nTindakan seterusnya akan dimaklumkan.\r\nSekian.\r\n\r\n" + Mark + "\r\n"

const sheetOfPaper = "<p>" + Mark + "</p><p>Perkara " + Canary + " dibincangkan.</p><p>Sekian.</p><p>Terima kasih.</p><p>" + Mark + "</p>"

// All are carriers of all kinds. An error is a fault of this package.
func All() ([]Carrier, error) {
	all := []Carrier{
		{Name: "minit.txt", Content: []byte(minutes)},
		{Name: "minit16.txt", Content: utf16le(minutes)},
		{Name: "minit.html", Content: []byte("<html><body>" + sheetOfPaper + "</body></html>")},
		{Name: "minit.md", Content: []byte("# " + Mark + "\n\nPerkara " + Canary + ".\n\nSekian.\n\n" + Mark + "\n")},
		{Name: "rekod.csv", Content: []byte("Klasifikasi," + Mark + "\r\nPerkara," + Canary + "\r\n")},
		{Name: "rekod.json", Content: []byte(`{"klasifikasi":"` + Mark + `","perkara":"` + Canary + `"}`)},
		{Name: "rekod.xml", Content: []byte(`<?xml version="1.0"?><surat><klasifikasi>` + Mark + `</klasifikasi><perkara>` + Canary + `</perkara></surat>`)},
		{Name: "gambar.svg", Content: []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="400" height="200"><text x="10" y="20">` + Mark +
			`</text><text x="10" y="90">` + Canary + `</text></svg>`)},
		{Name: "jemputan.ics", Content: []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1@ujian.test\r\nSUMMARY:[" + Mark + "] Mesyuarat\r\nDESCRIPTION:" + Canary +
			"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")},
		{Name: "kenalan.vcf", Content: []byte("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Pegawai\r\nNOTE:" + Mark + "\\n" + Canary + "\r\nEND:VCARD\r\n")},
		{Name: "surat.eml", Content: []byte(letter())},
		{Name: "peti.mbox", Content: []byte("From pegawai@ujian.test Mon Nov 23 09:00:00 2026\n" + strings.ReplaceAll(letter(), "\r\n", "\n") + "\n")},
		{Name: "winmail.dat", Content: tnef()},
	}
	for _, kind := range []func() (Carrier, error){zipped, zipInZip, tarred, picture} {
		c, err := kind()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	all = append(all, Carrier{Name: "minit.rar", Content: rar("minit.txt", minutes)})
	files, err := made.ReadDir("testdata")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		b, err := made.ReadFile(path.Join("testdata", f.Name()))
		if err != nil {
			return nil, err
		}
		name := f.Name()
		if short, ok := strings.CutSuffix(name, ".gz"); ok { // kept small
			z, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				return nil, err
			}
			if b, err = io.ReadAll(z); err != nil {
				return nil, err
			}
			name = short
		}
		all = append(all, Carrier{Name: name, Content: b})
	}
	return all, nil
}

// Attached is a message that carries the file.
func (c *Carrier) Attached(from, to, subject string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: Mon, 23 Nov 2026 09:00:00 +0800\r\nMessage-ID: <%s@ujian.test>\r\n"+
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=batas\r\n\r\n--batas\r\nContent-Type: text/plain\r\n\r\nSila lihat lampiran.\r\n"+
		"--batas\r\nContent-Type: application/octet-stream; name=%q\r\nContent-Disposition: attachment; filename=%[5]q\r\n"+
		"Content-Transfer-Encoding: base64\r\n\r\n", from, to, subject, c.Name, c.Name)
	for text := base64.StdEncoding.EncodeToString(c.Content); text != ""; {
		n := min(len(text), 76)
		b.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
	b.WriteString("--batas--\r\n")
	return b.String()
}

func letter() string {
	return "From: <pegawai@ujian.test>\r\nTo: <lain@ujian.test>\r\nSubject: [" + Mark + "] Perkara\r\nDate: Mon, 23 Nov 2026 09:00:00 +0800\r\n" +
		"Message-ID: <dalam@ujian.test>\r\n\r\nPerkara " + Canary + ".\r\n"
}

func utf16le(s string) []byte {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func zipped() (Carrier, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("minit.txt")
	if err != nil {
		return Carrier{}, err
	}
	if _, err := io.WriteString(f, minutes); err != nil {
		return Carrier{}, err
	}
	if err := w.Close(); err != nil {
		return Carrier{}, err
	}
	return Carrier{Name: "minit.zip", Content: b.Bytes()}, nil
}

func zipInZip() (Carrier, error) {
	content := []byte(minutes)
	name := "minit.txt"
	for range 3 {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return Carrier{}, err
		}
		if _, err := f.Write(content); err != nil {
			return Carrier{}, err
		}
		if err := w.Close(); err != nil {
			return Carrier{}, err
		}
		content, name = b.Bytes(), "dalam.zip"
	}
	return Carrier{Name: "lapis.zip", Content: content}, nil
}

func tarred() (Carrier, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "minit.txt", Mode: 0o600, Size: int64(len(minutes))}); err != nil {
		return Carrier{}, err
	}
	if _, err := io.WriteString(w, minutes); err != nil {
		return Carrier{}, err
	}
	if err := w.Close(); err != nil {
		return Carrier{}, err
	}
	if err := z.Close(); err != nil {
		return Carrier{}, err
	}
	return Carrier{Name: "minit.tar.gz", Content: b.Bytes()}, nil
}

// picture is a page as a scanner sees it, its word beside it in clear.
func picture() (Carrier, error) {
	p := drawn.New(100, drawn.White)
	p.Stamp(0.04, 18, drawn.Black, Mark)
	p.Body(0.15, drawn.Black, "Perkara ini dibincangkan dalam mesyuarat bulan lalu.", "Tindakan akan diambil oleh bahagian yang berkenaan.",
		"Laporan hendaklah dikemukakan sebelum hujung bulan.", "Sekian, terima kasih.")
	p.Stamp(0.97, 18, drawn.Black, Mark)
	var b bytes.Buffer
	if err := png.Encode(&b, p.Gray()); err != nil {
		return Carrier{}, err
	}
	const end = 12 // IEND, before which a chunk of text goes
	text := "Comment\x00" + Canary
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	chunk = append(chunk, "tEXt"+text...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	raw := b.Bytes()
	return Carrier{Name: "imbasan.png", Content: append(append(bytes.Clone(raw[:len(raw)-end]), chunk...), raw[len(raw)-end:]...), OCR: true}, nil
}

// tnef is what Outlook sends to its like [MS-OXTNEF], with one file in it.
func tnef() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0x223e9f78)
	b = binary.LittleEndian.AppendUint16(b, 1)
	add := func(level byte, tag uint32, data []byte) {
		b = append(b, level)
		b = binary.LittleEndian.AppendUint32(b, tag)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
		b = append(b, data...)
		sum := uint16(0)
		for _, c := range data {
			sum += uint16(c)
		}
		b = binary.LittleEndian.AppendUint16(b, sum)
	}
	add(1, 0x00089006, []byte{0, 0, 1, 0})      // attTnefVersion
	add(2, 0x00069002, make([]byte, 14))        // attAttachRenddata
	add(2, 0x00018010, []byte("minit.txt\x00")) // attAttachTitle
	add(2, 0x0006800f, []byte(minutes))         // attAttachData
	return b
}

// rar is an archive of RAR 4 that holds one file, stored.
func rar(name, content string) []byte {
	b := []byte("Rar!\x1a\x07\x00")
	head := func(kind byte, flags uint16, rest []byte) {
		h := []byte{kind}
		h = binary.LittleEndian.AppendUint16(h, flags)
		h = binary.LittleEndian.AppendUint16(h, uint16(7+len(rest)))
		h = append(h, rest...)
		b = binary.LittleEndian.AppendUint16(b, uint16(crc32.ChecksumIEEE(h)))
		b = append(b, h...)
	}
	head(0x73, 0, make([]byte, 6))
	f := binary.LittleEndian.AppendUint32(nil, uint32(len(content)))
	f = binary.LittleEndian.AppendUint32(f, uint32(len(content)))
	f = append(f, 2) // made on Windows
	f = binary.LittleEndian.AppendUint32(f, crc32.ChecksumIEEE([]byte(content)))
	f = binary.LittleEndian.AppendUint32(f, 0x5b770000) // date
	f = append(f, 20, 0x30)                             // version to read it, stored
	f = binary.LittleEndian.AppendUint16(f, uint16(len(name)))
	f = binary.LittleEndian.AppendUint32(f, 0x20)
	head(0x74, 0x8000, append(f, name...))
	b = append(b, content...)
	head(0x7b, 0x4000, nil)
	return b
}
