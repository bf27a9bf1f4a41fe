package extract

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is in testdata/mail was made by openssl and gpg: letters with a mark, signed,
// compressed or encrypted, and signatures and keys by themselves.
func TestSigned(t *testing.T) {
	locked := map[string]string{"locked.p7m": "s/mime", "locked-auth.p7m": "s/mime", "locked.gpg": "pgp", "locked.asc": "pgp", "locked-phrase.gpg": "pgp"}
	nothing := map[string]bool{"detached.p7s": true, "detached.sig": true, "detached.asc": true, "key.gpg": true, "key.asc": true, "cert.cer": true, "keys.p12": true}
	files, err := filepath.Glob("testdata/mail/*")
	if err != nil || len(files) < 19 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Base(f)
		for _, name := range []string{base, "surat.dat"} { // a name says nothing
			r := read(t, name, content)
			all := strings.Join(found(r), "\n")
			switch kind := locked[base]; {
			case kind != "":
				if len(r.Gaps) == 0 || r.Gaps[0].Reason != Locked || r.Gaps[0].Kind != kind {
					t.Errorf("%s: gaps %v", base, r.Gaps)
				}
			case len(r.Gaps) > 0:
				t.Errorf("%s: gaps %v", base, r.Gaps)
			case !nothing[base] && !strings.Contains(all, "|SULIT"):
				t.Errorf("%s: %.300q", base, all)
			}
		}
	}
}

func TestInText(t *testing.T) {
	file := func(name string) string {
		b, err := os.ReadFile("testdata/mail/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	z := zipped(t, "b.txt", "SULIT", "c.txt", strings.Repeat("isi ", 100), "d.bin", fmt.Sprintf("%x", chanced(200)))
	text64 := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("Perkara: bahan mesyuarat.\n", 10) + "SULIT\n"))
	for name, c := range map[string]struct {
		content, want string
		reason        Reason
	}{
		"PGP in the middle":           {"Salam,\n\n" + file("locked.asc") + "\nTerima kasih\n", "", Locked},
		"quoted PGP":                  {"Salam,\n> " + strings.ReplaceAll(file("locked.asc"), "\n", "\n> "), "", Locked},
		"far down":                    {strings.Repeat("satu baris\n", 2000) + file("locked.asc"), "", Locked},
		"signed and compressed":       {"Salam,\n\n" + file("signed.asc"), "|SULIT", ""},
		"talk of PGP":                 {"Baris -----BEGIN PGP MESSAGE----- ada di situ.\nIsi\n", "", ""},
		"base64 of a zip":             {"Salam,\n" + wrapped(base64.StdEncoding.EncodeToString(z), 76) + "\nTerima kasih", "b.txt|SULIT", ""},
		"base64 in one line":          {"Salam,\n" + base64.StdEncoding.EncodeToString(z) + "\n", "b.txt|SULIT", ""},
		"quoted base64":               {"> " + strings.ReplaceAll(wrapped(base64.StdEncoding.EncodeToString(z), 76), "\n", "\n> "), "b.txt|SULIT", ""},
		"base64 of a text":            {wrapped(text64, 60), "|SULIT", ""},
		"a key":                       {wrapped(base64.StdEncoding.EncodeToString(chanced(600)), 64), "", ""},
		"letters":                     {strings.Repeat(strings.Repeat("a", 70)+"\n", 100), "", ""},
		"words in long lines":         {strings.Repeat(strings.Repeat("kata", 20)+"\n", 20), "", ""},
		"yEnc":                        {"=ybegin line=128 size=5 name=a.txt\r\n" + yencoded("Perkara\nSULIT\n") + "\r\n=yend size=5\r\n", "paragraph|file \"a.txt\"|SULIT", ""},
		"BinHex":                      {binhexed("a.txt", "Perkara\nSULIT\n"), "paragraph|file \"a.txt\"|SULIT", ""},
		"compressed by CMS":           {compressedCMS(t, "Content-Type: text/plain\r\n\r\nSULIT\r\n"), "|SULIT", ""},
		"quoted-printable not undone": {"Salam=2C\nsatu=20dua=\n tiga\nSU=4CIT\n", "|SULIT", ""},
	} {
		r := read(t, "a.txt", []byte(c.content))
		all := strings.Join(found(r), "\n")
		if name == "letters" && len(r.Files) != 1 {
			t.Errorf("%s: %d files", name, len(r.Files))
		}
		if !strings.Contains(all, c.want) || (len(r.Gaps) > 0) != (c.reason != "") || c.reason != "" && r.Gaps[0].Reason != c.reason {
			t.Errorf("%s: %.400q, gaps %v", name, all, r.Gaps)
		}
	}
}

// compressedCMS is a message as RFC 3274 has it.
func compressedCMS(t *testing.T, content string) string {
	t.Helper()
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	der := func(tag byte, parts ...string) string {
		s := strings.Join(parts, "")
		return string([]byte{tag, 0x82, byte(len(s) >> 8), byte(len(s))}) + s
	}
	return der(0x30, der(6, cmsCompressed), der(0xa0, der(0x30, "\x02\x01\x00",
		der(0x30, der(6, cmsAuth[:9]+"\x03\x08")), der(0x30, der(6, cmsArc+"\x01"), der(0xa0, der(4, z.String()))))))
}

func wrapped(s string, n int) string {
	var b strings.Builder
	for len(s) > n {
		b.WriteString(s[:n] + "\n")
		s = s[n:]
	}
	return b.String() + s + "\n"
}

func yencoded(s string) string {
	var b []byte
	for _, c := range []byte(s) {
		if c += 42; c == 0 || c == '\n' || c == '\r' || c == '=' {
			b = append(b, '=', c+64)
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

func binhexed(name, content string) string {
	raw := append([]byte{byte(len(name))}, name...)
	raw = append(raw, make([]byte, 11)...) // a version, type, creator, flags
	raw = append(raw, 0, 0, byte(len(content)>>8), byte(len(content)), 0, 0, 0, 0, 0, 0)
	raw = append(append(raw, content...), 0, 0, 0, 0)
	var text strings.Builder
	acc, bits := 0, 0
	for _, c := range raw {
		acc, bits = acc<<8|int(c), bits+8
		for bits >= 6 {
			bits -= 6
			text.WriteByte(binhexLetters[acc>>bits&63])
		}
		acc &= 1<<bits - 1
	}
	if bits > 0 {
		text.WriteByte(binhexLetters[acc<<(6-bits)&63])
	}
	return "(This file must be converted with BinHex 4.0)\n\n:" + wrapped(text.String(), 64) + ":\n"
}

func TestOddMessages(t *testing.T) {
	signed, err := os.ReadFile("testdata/mail/signed.p7m")
	if err != nil {
		t.Fatal(err)
	}
	part := func(kind, encoding, body string) string {
		return "Subject: a\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: " + kind +
			"\nContent-Transfer-Encoding: " + encoding + "\n\n" + body + "\n--b--\n"
	}
	for name, c := range map[string]struct {
		mail, want string
		reason     Reason
	}{
		"signed, declared as encrypted": {part("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", "base64", base64.StdEncoding.EncodeToString(signed)), "|SULIT", ""},
		"signed, declared as anything":  {part("application/octet-stream; name=a.dat", "base64", base64.StdEncoding.EncodeToString(signed)), "|SULIT", ""},
		"fields of a refused message":   {part("text/rfc822-headers", "7bit", "Subject: [SULIT] a\nFrom: a@luar.test"), "|[SULIT] a", ""},
		"message in base64":             {part("message/rfc822", "base64", base64.StdEncoding.EncodeToString([]byte("Subject: [SULIT] a\r\n\r\nisi\r\n"))), "|[SULIT] a", ""},
		"a piece of a message":          {part("message/partial; id=1; number=1; total=2", "7bit", "isi"), "", Damaged},
		"elsewhere":                     {part("message/external-body; access-type=URL; URL=\"http://luar.test/\"", "7bit", "Content-Type: text/plain"), "", ""},
		"base64 that is none":           {part("text/plain", "base64", "Dengan hormatnya, perkara di atas.\nSULIT\nSekian, terima kasih."), "|SULIT", ""},
		"base64 that is not declared":   {part("application/zip; name=a.zip", "7bit", wrapped(base64.StdEncoding.EncodeToString(zipped(t, "b.txt", "SULIT", "c.bin", fmt.Sprintf("%x", chanced(200)))), 76)), "b.txt|SULIT", ""},
		"mbox with a quoted From":       {part("application/mbox", "7bit", "From a Mon\nFrom: a@luar.test\nDate: x\nSubject: a\n\n>From semalam\nSULIT"), "|SULIT", ""},
		"few fields":                    {part("application/octet-stream; name=a.eml", "7bit", "Subject: [SULIT] a\n\nisi"), "|[SULIT] a", ""},
		"encrypted as PGP/MIME": {"Subject: a\nMIME-Version: 1.0\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n\n--b\n" +
			"Content-Type: application/pgp-encrypted\n\nVersion: 1\n\n--b\nContent-Type: application/octet-stream; name=encrypted.asc\n\n-----BEGIN PGP MESSAGE-----\n\nhQEMA0x\n-----END PGP MESSAGE-----\n--b--\n", "", Locked},
	} {
		r, err := whole(c.mail)
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(found(r), "\n")
		if !strings.Contains(all, c.want) || (len(r.Gaps) > 0) != (c.reason != "") || c.reason != "" && r.Gaps[0].Reason != c.reason {
			t.Errorf("%s: %.400q, gaps %v", name, all, r.Gaps)
		}
		if name == "encrypted as PGP/MIME" && (len(r.Gaps) != 1 || r.Gaps[0].Kind != "pgp") {
			t.Errorf("%s: %v", name, r.Gaps)
		}
	}
}
