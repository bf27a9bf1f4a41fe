package message

import (
	"bytes"
	"io"
	"mime"
	"strings"
	"testing"
	"unicode/utf8"

	gomessage "github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
)

func FuzzDecodeHeader(f *testing.F) {
	for _, s := range []string{"=?utf-8?B?UkFIU0lB?=", "=?iso-8859-1?Q?a=E9?= b", "=?utf-8?Q?a?= =?utf-8?Q?b?=", "=?x?y", "\xff\xfe", "a\r\n b",
		"=?utf-7?Q?+AGE-?=", "=?utf-8?B?4p?= =?utf-8?B?yT?="} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s := DecodeHeader(b); !utf8.ValidString(s) || len(s) > 8*len(b)+64 {
			t.Fatalf("%q from %q", s, b)
		}
	})
}

func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"a@b", `"x, y" <a@b>, c@d`, "grup: a@b, c@d;", "<@a,@b:c@d>", "a (x (y)) @ b", ",,,", "<", `"\`, "=?utf-8?Q?a?= <a@b>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, a := range ParseAddresses(b) {
			if strings.ContainsAny(a.Addr(), "\r\n") {
				t.Fatalf("%q from %q", a.Addr(), b)
			}
		}
	})
}

// What a library reads of well-formed mail, the index reads too.
func TestIndexAgreesWithALibrary(t *testing.T) {
	compared := 0
	for _, text := range []string{
		"From: a@luar.test\nSubject: =?utf-8?Q?Sur=C3=A1t?=\n\nisi\n",
		"Subject: a\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\nmuka\n--b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\na=E9b=\nc\n--b\nContent-Type: application/octet-stream; name=\"x.bin\"\nContent-Transfer-Encoding: base64\n\nAAECAwQ=\n--b--\nekor\n",
		"Subject: a\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=\"b b\"\n\n--b b\nContent-Type: multipart/related; boundary=c\n\n--c\nContent-Type: text/html\n\n<p>a</p>\n--c--\n--b b\nContent-Type: text/plain\n\na\n--b b--\n",
	} {
		raw := []byte(strings.ReplaceAll(text, "\n", "\r\n"))
		e, err := gomessage.Read(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		x := Parse(raw)
		if want, err := e.Header.Text("Subject"); err != nil || DecodeHeader([]byte(x.Parts[0].Get("Subject"))) != want {
			t.Errorf("subject %q, the library says %q, %v", DecodeHeader([]byte(x.Parts[0].Get("Subject"))), want, err)
		}
		i := 0
		err = e.Walk(func(_ []int, e *gomessage.Entity, err error) error {
			if err != nil {
				return err
			}
			p := &x.Parts[i]
			i++
			kind, _, err := mime.ParseMediaType(e.Header.Get("Content-Type"))
			if err != nil {
				kind = "text/plain"
			}
			if p.Type+"/"+p.Subtype != kind {
				t.Errorf("part %d: %s/%s, the library says %s", i, p.Type, p.Subtype, kind)
			}
			if p.Type == "multipart" {
				return nil
			}
			want, err := io.ReadAll(e.Body)
			if err != nil {
				return err
			}
			got, err := io.ReadAll(NewTransferDecoder(p.Encoding, bytes.NewReader(raw[p.BodyStart:p.End])))
			if err != nil {
				return err
			}
			text := string(got)
			if p.Type == "text" {
				text = DecodeCharset(ParamValue(p.Params, "charset"), got)
			}
			if text != string(want) {
				t.Errorf("part %d: %q, the library says %q", i, text, want)
			}
			compared++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if i != len(x.Parts) {
			t.Errorf("%d parts, the library has %d", len(x.Parts), i)
		}
	}
	if compared < 5 {
		t.Fatalf("only %d bodies were compared", compared)
	}
}
