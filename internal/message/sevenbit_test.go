package message

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func sevenOf(t testing.TB, in string) (string, error) {
	t.Helper()
	r, err := ToSevenBit(strings.NewReader(in), Parse([]byte(in)))
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), nil
}

func TestToSevenBit(t *testing.T) {
	long := strings.Repeat("x", 999)
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "Subject: a\n\nsatu\n", "Subject: a\n\nsatu\n"},
		{"declared, not so", "Content-Transfer-Encoding: 8bit\nSubject: a\n\nsatu\n", "Subject: a\n\nsatu\n"},
		{"text", "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nsaté = 1 \n\n",
			"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nsat=C3=A9 =3D 1=20\n\n"},
		{"text without any MIME", "Subject: a\n\nsaté\n",
			"Subject: a\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: quoted-printable\n\nsat=C3=A9\n"},
		{"a line too long", "MIME-Version: 1.0\n\n" + long + "\n",
			"MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat(strings.Repeat("x", 75)+"=\n", 13) + strings.Repeat("x", 24) + "\n"},
		{"the longest line", "MIME-Version: 1.0\n\n" + long[1:] + "\n", "MIME-Version: 1.0\n\n" + long[1:] + "\n"},
		{"not text", "MIME-Version: 1.0\nContent-Type: application/pdf\nContent-Transfer-Encoding: binary\n\n\x00\xff\xfe\n",
			"MIME-Version: 1.0\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\nAP/+DQo=\n"},
		{"already base64, with a stray octet", "MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\nAP/\xff+\n", "MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\nAP/+\n"},
		{"already quoted-printable, with a stray octet", "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A9 \xe9=\nx\n", "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A9 =E9=\nx\n"},
		{"multipart", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\npra\n--b\n\nsaté\n--b\nContent-Type: image/png\nContent-Transfer-Encoding: binary\nX: y\n\n\xff\n--b\nContent-Type: text/html\n\n<p>ok\n--b--\nepi\n",
			"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\npra\n--b\nContent-Transfer-Encoding: quoted-printable\n\nsat=C3=A9\n--b\nContent-Type: image/png\nX: y\nContent-Transfer-Encoding: base64\n\n/w==\n\n--b\nContent-Type: text/html\n\n<p>ok\n--b--\nepi\n"},
		{"a message inside", "MIME-Version: 1.0\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: dalam\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nsaté\n",
			"MIME-Version: 1.0\nContent-Type: message/rfc822\n\nSubject: dalam\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nsat=C3=A9\n"},
		{"signed, in seven bits", "MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=b\n\n--b\nContent-Transfer-Encoding: 8bit\n\nsatu\n--b\n\nx\n--b--\n",
			"MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=b\n\n--b\nContent-Transfer-Encoding: 8bit\n\nsatu\n--b\n\nx\n--b--\n"},
		{"encoding given twice", "MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\nContent-Transfer-Encoding: 7bit\n\né\n", "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A9\n"},
		{"a blank at the very end", "MIME-Version: 1.0\n\né ", "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A9=20"},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			crlf := strings.NewReplacer("\n", "\r\n")
			got, err := sevenOf(t, crlf.Replace(tt.in))
			if want := crlf.Replace(tt.want); err != nil || got != want {
				t.Fatalf("got  %q, %v\nwant %q", got, err, want)
			}
		})
	}
	in := "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nsat\xe9\r\n--b\r\n\r\nx\r\n--b--\r\n"
	if _, err := sevenOf(t, in); !errors.Is(err, ErrSigned) {
		t.Errorf("8-bit content that is signed: %v", err)
	}
}

// Bodies mean the same before and after, and are in seven bits.
func FuzzToSevenBit(f *testing.F) {
	f.Add([]byte("MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nsat\xc3\xa9 \r\n=\r\n"))
	f.Add([]byte("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\xff\r\n--b\r\nContent-Type: a/b\r\n\r\n\x00\r\n--b--\r\n"))
	f.Add([]byte("a: b\r\n\r\n" + strings.Repeat("\xff\r\n ", 500)))
	f.Fuzz(func(t *testing.T, in []byte) {
		x := Parse(in)
		r, err := ToSevenBit(bytes.NewReader(in), x)
		if err != nil {
			if !errors.Is(err, ErrSigned) {
				t.Fatal(err)
			}
			return
		}
		out, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		y := Parse(out)
		if x.Opaque != "" || len(x.Parts) != 1 || len(y.Parts) != 1 || x.Parts[0].Type == "multipart" || x.Parts[0].Opaque != "" {
			return // bodies are compared where there is one
		}
		p, q := &x.Parts[0], &y.Parts[0]
		for _, c := range out[q.BodyStart:] {
			if c > 127 || c == 0 {
				t.Fatalf("%q became %q", in, out)
			}
		}
		if p.Encoding == "base64" || p.Encoding == "quoted-printable" {
			return
		}
		got, err := io.ReadAll(NewTransferDecoder(q.Encoding, bytes.NewReader(out[q.BodyStart:])))
		if err != nil || !bytes.Equal(got, in[p.BodyStart:]) {
			t.Fatalf("%q became %q: %q and %q", in, out, in[p.BodyStart:], got)
		}
	})
}
