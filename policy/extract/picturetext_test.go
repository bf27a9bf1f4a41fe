package extract

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/gif"
	"image/jpeg"
	"slices"
	"testing"
)

func crcOf(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

// pngWith is a picture with one more chunk.
func pngWith(id, body string) []byte {
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	chunk = append(chunk, id+body...)
	chunk = binary.BigEndian.AppendUint32(chunk, crcOf(chunk[4:]))
	const header = 8 + 25
	plain := tinyPNG
	return slices.Concat(plain[:header], chunk, plain[header:])
}

var tinyPNG = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU\x00\x00\x00\nIDATx\x9cc\xfa\x0f\x00\x01\x05\x01\x02\xcf\xa6.\xcd\x00\x00\x00\x00IEND\xaeB`\x82")

func deflated(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

// exifWith is an Exif block: a description, and in the directory of Exif a comment in UTF-16.
func exifWith(text string) []byte {
	le := binary.LittleEndian
	wide := append([]byte("UNICODE\x00"), utf16Text(text)...)
	b := []byte("II*\x00\x08\x00\x00\x00")
	field := func(tag, kind uint16, n int, value uint32) {
		b = le.AppendUint16(b, tag)
		b = le.AppendUint16(b, kind)
		b = le.AppendUint32(b, uint32(n))
		b = le.AppendUint32(b, value)
	}
	const first, second = 8 + 2 + 24 + 4, 8 + 2 + 24 + 4 + 2 + 12 + 4
	b = le.AppendUint16(b, 2)
	field(0x010e, 2, len(text)+1, second)
	field(exifDirectory, 4, 1, first)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint16(b, 1)
	field(0x9286, 7, len(wide), uint32(second+len(text)+1))
	b = le.AppendUint32(b, 0)
	return append(append(append(b, text...), 0), wide...)
}

func jpegWith(t *testing.T, marker byte, body string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	segment := binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(body)+2))
	return slices.Concat(b.Bytes()[:2], segment, []byte(body), b.Bytes()[2:])
}

// What is written about a picture is text like any other.
func TestTextAboutPictures(t *testing.T) {
	const xmp = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf><description>RAHSIA</description></rdf></x:xmpmeta>`
	iptc := "\x1c\x02\x78\x00\x06RAHSIA"
	photoshop := "Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x0b" + iptc
	var anim bytes.Buffer
	if err := gif.Encode(&anim, image.NewGray(image.Rect(0, 0, 4, 4)), nil); err != nil {
		t.Fatal(err)
	}
	commented := slices.Concat(anim.Bytes()[:anim.Len()-1], []byte("\x21\xfe\x06RAHSIA\x00;"))
	webp := []byte("RIFF\x00\x00\x00\x00WEBPXMP " + string(binary.LittleEndian.AppendUint32(nil, uint32(len(xmp)))) + xmp)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"png tEXt":          {pngWith("tEXt", "Comment\x00RAHSIA"), "Comment: RAHSIA"},
		"png zTXt":          {pngWith("zTXt", "Comment\x00\x00"+deflated("RAHSIA")), "Comment: RAHSIA"},
		"png iTXt":          {pngWith("iTXt", "Title\x00\x00\x00ms\x00\x00RAHSIA"), "Title: RAHSIA"},
		"png iTXt, packed":  {pngWith("iTXt", "Title\x00\x01\x00ms\x00\x00"+deflated("RAHSIA")), "Title: RAHSIA"},
		"png XMP":           {pngWith("iTXt", "XML:com.adobe.xmp\x00\x00\x00\x00\x00"+xmp), "description: RAHSIA"},
		"png eXIf":          {pngWith("eXIf", string(exifWith("RAHSIA"))), "ImageDescription: RAHSIA"},
		"jpeg comment":      {jpegWith(t, 0xfe, "RAHSIA"), "comment: RAHSIA"},
		"jpeg Exif":         {jpegWith(t, 0xe1, "Exif\x00\x00"+string(exifWith("RAHSIA"))), "ImageDescription: RAHSIA"},
		"jpeg user comment": {jpegWith(t, 0xe1, "Exif\x00\x00"+string(exifWith("RAHSIA"))), "UserComment: RAHSIA"},
		"jpeg XMP":          {jpegWith(t, 0xe1, "http://ns.adobe.com/xap/1.0/\x00"+xmp), "description: RAHSIA"},
		"jpeg IPTC":         {jpegWith(t, 0xed, photoshop), "caption: RAHSIA"},
		"gif comment":       {commented, "comment: RAHSIA"},
		"webp XMP":          {webp, "description: RAHSIA"},
		"heic Exif":         {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heicExif\x00\x00" + string(exifWith("RAHSIA"))), "ImageDescription: RAHSIA"},
	} {
		r := readPicture(t, c.data, Budget{})
		found := false
		for _, p := range r.Parts {
			for _, u := range p.Units {
				found = found || u.Text == c.want || u.Text == "RAHSIA" && c.want == "description: RAHSIA"
			}
		}
		if !found {
			t.Errorf("%s: %q", name, texts(r))
		}
	}
}

func FuzzExif(f *testing.F) {
	f.Add(exifWith("RAHSIA"))
	f.Add([]byte("MM\x00*\x00\x00\x00\x08\x00\x01\x87\x69\x00\x04\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00\x08"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w := &walker{ctx: t.Context(), b: Budget{}.filled()}
		p := w.part(at{}, "jpeg")
		w.exifText(p, b)
		if n := int64(len(b)); w.used.Text > 64*n+4096 { // each field names at most all of it
			t.Fatalf("%d octets of text from %d", w.used.Text, n)
		}
	})
}
