package extract

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"
)

// messageOf is a message of Outlook: head is how long the head of its table is.
func messageOf(prefix string, head int, streams map[string][]byte) (files []cfbFile) {
	table := make([]byte, head)
	for _, n := range []uint32{1252, 1252} {
		id := uint32(mapiTextCharset)
		table = binary.LittleEndian.AppendUint32(table, id<<16|3)
		table = binary.LittleEndian.AppendUint32(table, 0)
		table = binary.LittleEndian.AppendUint32(table, n)
		table = binary.LittleEndian.AppendUint32(table, 0)
	}
	files = append(files, cfbFile{prefix + "__properties_version1.0", table})
	var names []string
	for n := range streams {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		files = append(files, cfbFile{prefix + "__substg1.0_" + n, streams[n]})
	}
	return files
}

// packedRTF is RTF as messages carry it, not compressed but for its form.
func packedRTF(text string) []byte {
	var in []byte
	for i := 0; i < len(text); i += 8 {
		in = append(append(in, 0), text[i:min(len(text), i+8)]...)
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(in)+12))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	b = append(b, "LZFu\x00\x00\x00\x00"...)
	return append(b, in...)
}

func TestOutlookMessage(t *testing.T) {
	names := cfbFile{"__nameid_version1.0/__substg1.0_00030102", []byte("\x00\x00\x00\x00\x09\x00\x00\x00")}
	text := cfbFile{"__nameid_version1.0/__substg1.0_00040102", append([]byte{24, 0, 0, 0}, utf16Text("x-klasifikasi")...)}
	le.PutUint32(text.data, uint32(len(text.data)-4))
	all := messageOf("", 32, map[string][]byte{
		"0037001F": utf16Text("[SULIT] Mesyuarat رهسيا"), "1000001E": []byte("Isi sur\xe9t\r\nbaris dua"), "10130102": []byte("<html><p>isi HTML</p></html>"),
		"10090102": packedRTF(`{\rtf1{\header kepala RTF}isi RTF\par}`), "007D001E": []byte("Received: x\r\nX-Klasifikasi: Terhad\r\nContent-Type: multipart/mixed; boundary=b\r\n"),
		"8000001F": utf16Text("Rahsia"),
	})
	all = append(all, messageOf("__attach_version1.0_#00000000/", 8, map[string][]byte{"3707001F": utf16Text("SULIT - nota.txt"), "3704001F": utf16Text("SULIT-~1.TXT"),
		"37010102": []byte("isi lampiran")})...)
	inner := "__attach_version1.0_#00000001/__substg1.0_3701000D/"
	all = append(all, messageOf("__attach_version1.0_#00000001/", 8, map[string][]byte{"3001001F": utf16Text("Mesej dalam")})...)
	all = append(all, messageOf(inner, 24, map[string][]byte{"0037001F": utf16Text("[TERHAD] dalam"), "1000001F": utf16Text("isi mesej dalam")})...)
	all = append(all, messageOf(inner+"__attach_version1.0_#00000000/", 8, map[string][]byte{"3707001F": utf16Text("b.doc"), "37010102": fixture(t, "surat.doc")})...)
	r := read(t, "a.msg", compoundOf(append(all, names, text)...))
	expect(t, r, "subject|[SULIT] Mesyuarat رهسيا", "paragraph|Isi surét", "paragraph|isi HTML", "page-header|kepala RTF", "header-field|X-Klasifikasi: Terhad",
		"metadata|x-klasifikasi: Rahsia", "file-name|SULIT - nota.txt", "file-name|SULIT-~1.TXT", "paragraph|isi lampiran", "subject|[TERHAD] dalam", "paragraph|isi mesej dalam",
		"page-header|KEPALA MUKA SURAT")
	if r.Files[0].Kind != "msg" || len(r.Files) != 3 {
		t.Errorf("files %+v", r.Files)
	}
}

// A signed message keeps all of itself in an attachment, as it was sent.
func TestSignedOutlookMessage(t *testing.T) {
	entity := "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nUkFIU0lB\r\n--b--\r\n"
	all := append(messageOf("", 32, map[string][]byte{"0037001F": utf16Text("a")}),
		messageOf("__attach_version1.0_#00000000/", 8, map[string][]byte{"3707001F": utf16Text("smime.p7m"), "37010102": []byte(entity)})...)
	expect(t, read(t, "a.msg", compoundOf(all...)), "paragraph|RAHSIA")
}

// attribute is one of winmail.dat.
func attribute(level byte, id int, data []byte) []byte {
	b := []byte{level}
	b = binary.LittleEndian.AppendUint32(b, uint32(id))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)
	sum := uint16(0)
	for _, c := range data {
		sum += uint16(c)
	}
	return binary.LittleEndian.AppendUint16(b, sum)
}

// mapiOf is a list of properties: of a tag, then its octets.
func mapiOf(tag uint32, data []byte, more ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, tag)
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return append(b, slices.Concat(more...)...)
}

func mapiList(n int, properties ...[]byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(n)), slices.Concat(properties...)...)
}

func tnefOf(attributes ...[]byte) []byte {
	return append([]byte("\x78\x9f\x3e\x22\x01\x00"), slices.Concat(attributes...)...)
}

func TestTNEF(t *testing.T) {
	named := binary.LittleEndian.AppendUint32(nil, 0x8001001f)
	named = append(named, make([]byte, 16)...)
	named = append(named, 1, 0, 0, 0)
	key := append(utf16Text("Klasifikasi"), 0, 0)
	named = binary.LittleEndian.AppendUint32(named, uint32(len(key)))
	named = append(named, key...)
	value := utf16Text("Sulit\x00")
	named = append(named, 1, 0, 0, 0, byte(len(value)), 0, 0, 0)
	named = append(named, value...)
	inner := tnefOf(attribute(1, 0x18004, []byte("[TERHAD] dalam\x00")))
	object := append([]byte("\x07\x03\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"), inner...)
	r := read(t, "winmail.dat", tnefOf(
		attribute(1, 0x69007, []byte("\xe8\x04\x00\x00\x00\x00\x00\x00")), // windows-1256
		attribute(1, 0x18004, []byte("\xd1\xe5\xd3\xed\xc7\x00")),
		attribute(1, 0x2800c, []byte("isi biasa\x00")),
		attribute(1, 0x69003, mapiList(3, mapiOf(0x10090102, packedRTF(`{\rtf1{\footer kaki RTF}isi RTF\par}`)), mapiOf(0x10130102, []byte("<html><p>isi HTML</p>")), named)),
		attribute(2, 0x69002, make([]byte, 14)),
		attribute(2, 0x18010, []byte("NOTA~1.TXT\x00")),
		attribute(2, 0x6800f, []byte("isi lampiran")),
		attribute(2, 0x69005, mapiList(1, mapiOf(0x3707001f, utf16Text("SULIT - nota.txt\x00")))),
		attribute(2, 0x69002, make([]byte, 14)),
		attribute(2, 0x69005, mapiList(1, mapiOf(0x3701000d, object))),
	))
	expect(t, r, "subject|رهسيا", "paragraph|isi biasa", "page-footer|kaki RTF", "paragraph|isi HTML", "metadata|Klasifikasi: Sulit", "file-name|NOTA~1.TXT",
		"file-name|SULIT - nota.txt", "paragraph|isi lampiran", "subject|[TERHAD] dalam")
	whole := tnefOf(attribute(1, 0x18004, []byte("[SULIT] a\x00")), attribute(1, 0x2800c, []byte("isi\x00")))
	for i := 7; i < len(whole); i++ {
		if cut := read(t, "winmail.dat", whole[:i]); len(cut.Gaps) == 0 && i != 6+9+10+2 {
			t.Errorf("cut at %d of %d: nothing is said", i, len(whole))
		}
	}
}

// The example of the specification [MS-OXRTFCP 3.1]: references, and its end.
func TestPackedRTF(t *testing.T) {
	in, err := hex.DecodeString("2d0000002b0000004c5a4675f1c5c7a703000a00726370673132354232" + "0af32068656c090020627705b06c647d0a800fa0")
	if err != nil {
		t.Fatal(err)
	}
	w := &walker{b: Budget{}.filled()}
	out, err := w.unpackRTF(in)
	if want := "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"; err != nil || string(out) != want {
		t.Errorf("%q, %v; want %q", out, err, want)
	}
	if out, err = w.unpackRTF(in[:30]); err == nil {
		t.Errorf("cut short, and %q without an error", out)
	}
}

func FuzzTNEF(f *testing.F) {
	f.Add(attribute(1, 0x69003, mapiList(1, mapiOf(0x10090102, packedRTF(`{\rtf1 isi}`)))))
	f.Add(attribute(2, 0x69005, mapiList(1, mapiOf(0x3701000d, make([]byte, 30)))))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzed(t, tnefOf(b)) })
}

func FuzzPackedRTF(f *testing.F) {
	f.Add(packedRTF(`{\rtf1 isi}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		w := &walker{b: Budget{}.filled()}
		if out, _ := w.unpackRTF(b); len(out) > 9*len(b)+17+32 {
			t.Errorf("%d octets out of %d", len(out), len(b))
		}
	})
}
