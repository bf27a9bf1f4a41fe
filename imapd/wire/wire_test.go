package wire

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func reader(text string) *Reader { return NewReader(strings.NewReader(text)) }

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		wire, name string
		ok         bool
	}{
		{"INBOX", "INBOX", true},
		{"Taklimat &- lain", "Taklimat & lain", true},
		{"&ZeVnLIqe-", "日本語", true},
		{"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語", true}, // RFC 3501 section 5.1.3
		{"&2D3eAA-", "😀", true},
		{"surat é", "surat é", true}, // 8-bit all the same
		{"R&D", "", false},
		{"&", "", false},
		{"&ZeVnLIq", "", false},
		{"&2D0-", "", false}, // half a surrogate pair
		{"&!!!!-", "", false},
		{"\xff", "", false},
	} {
		got, err := DecodeName(tt.wire, false)
		if (err == nil) != tt.ok || got != tt.name && tt.ok {
			t.Errorf("%q: got %q, %v; want %q, %t", tt.wire, got, err, tt.name, tt.ok)
		}
		if tt.ok && utf8.ValidString(tt.wire) && len(tt.wire) == len(encodeName(tt.name)) && encodeName(tt.name) != tt.wire {
			t.Errorf("%q is written as %q", tt.name, encodeName(tt.name))
		}
	}
}

func TestSets(t *testing.T) {
	for _, tt := range []struct{ text, again string }{
		{"1", "1"}, {"1:3,5", "1:3,5"}, {"4294967295", "4294967295"},
		{"0", ""}, {"1:0", ""}, {"4294967296", ""}, {"", ""}, {"1,,2", ""}, {"1:", ""}, {",1", ""}, {"-1", ""},
	} {
		s, err := reader(tt.text + " ").Set()
		if (err == nil) != (tt.again != "") {
			t.Errorf("%q: %+v, %v", tt.text, s, err)
		}
		if err != nil {
			continue
		}
		var ns []uint32
		for _, r := range s.Ranges {
			for n := uint64(r.From); n <= uint64(r.To); n++ {
				ns = append(ns, uint32(n))
			}
		}
		if got := string(AppendSet(nil, ns)); got != tt.again {
			t.Errorf("%q came back as %q", tt.text, got)
		}
	}
	if s, err := reader("$ ").Set(); err != nil || !s.Saved {
		t.Errorf("$: %+v, %v", s, err)
	}
	if s, err := reader("*:4 ").Set(); err != nil || s.Ranges[0].From != Star || s.Ranges[0].To != 4 {
		t.Errorf("*:4: %+v, %v", s, err)
	}
}

// What FETCH asks for stands in its answer as it was asked for.
func TestSectionsAreNamedAsAsked(t *testing.T) {
	for asked, named := range map[string]string{
		"BODY[]":                                "BODY[]",
		"body.peek[1.2.mime]":                   "BODY[1.2.MIME]",
		"BODY[HEADER.FIELDS (To \"X Y\")]<2.5>": "BODY[HEADER.FIELDS (To \"X Y\")]<2>",
		"BODY.PEEK[3.HEADER.FIELDS.NOT (DATE)]": "BODY[3.HEADER.FIELDS.NOT (DATE)]",
		"BINARY.PEEK[4]<0.10>":                  "BINARY[4]<0>",
		"BINARY.SIZE[4.1]":                      "BINARY.SIZE[4.1]",
		"RFC822.TEXT":                           "RFC822.TEXT",
		"BODY[MIME]":                            "", // of a part only
		"BODY[0]":                               "",
		"BODY[1.]":                              "",
		"BODY[1..2]":                            "",
		"BODY[]<5>":                             "",
		"BODY[]<0.0>":                           "",
		"BODY[HEADER.FIELDS ()]":                "",
		"BODY[1":                                "",
		"BINARY[TEXT]":                          "",
		"BODY.SIZE[1]":                          "",
		"XYZZY":                                 "",
	} {
		items, err := reader(asked + "\r\n").Items()
		if (err == nil) != (named != "") {
			t.Errorf("%s: %+v, %v", asked, items, err)
			continue
		}
		if err == nil {
			if got := string(AppendSection(nil, &items[0])); strings.TrimSpace(got) != named {
				t.Errorf("%s is answered as %q, want %q", asked, got, named)
			}
		}
	}
}

// Nothing that is only announced, or only nested, costs memory or stack.
func TestBudgets(t *testing.T) {
	for name, text := range map[string]string{
		"nested keys":      strings.Repeat("(", 30000),
		"NOT NOT NOT":      strings.Repeat("NOT ", 15000) + "ALL\r\n",
		"OR OR OR":         strings.Repeat("OR ", 20000) + "ALL\r\n",
		"4 GiB announced":  "SUBJECT {4294967295+}\r\n",
		"an endless atom":  strings.Repeat("x", 1<<20),
		"an endless quote": "SUBJECT \"" + strings.Repeat("x", 1<<20),
		"an endless set":   strings.Repeat("1,", 1<<19),
	} {
		if k, err := reader(text).Program(); err == nil || !IsSyntax(err) {
			t.Errorf("%s: %d keys, %v", name, len(k.Sub), err)
		}
	}
}

func TestStringsComeBack(t *testing.T) {
	for _, s := range []string{"", "a", `a"b\c`, "dua baris\r\n", strings.Repeat("x", 5000), "é"} {
		got, err := reader(strings.Replace(string(AppendString(nil, s)), "}\r\n", "+}\r\n", 1) + " ").AString()
		if err != nil || got != s {
			t.Errorf("%q came back as %q, %v", s, got, err)
		}
	}
}

var literalEnd = regexp.MustCompile(`\{(\d+)(\+?)\}\r?\n$`)

// commandEnd is where the first command of a stream ends, by a reading of its own: at
// the first line end that announces no literal that comes unasked. ok is false where the
// stream ends before, or has to be given up.
func commandEnd(in []byte) (end int, waits, ok bool) {
	line := 0
	for i := 0; i < len(in); i++ {
		if in[i] != '\n' {
			continue
		}
		m := literalEnd.FindSubmatch(in[line : i+1])
		if m == nil {
			return i + 1, false, true
		}
		if len(m[2]) == 0 {
			return i + 1, true, true
		}
		n, err := strconv.ParseInt(string(m[1]), 10, 64)
		if err != nil || n > int64(len(in)) {
			return 0, false, false
		}
		i += int(n)
		line = i + 1
	}
	return 0, false, false
}

// FuzzRefusedCommand reads any octets as each kind of command, passes over what is
// refused, and stands where the command ends: not an octet of a literal's content is
// left to be read as the next command.
func FuzzRefusedCommand(f *testing.F) {
	for _, seed := range []string{
		"a LOGIN {3+}\r\nabc {3+}\r\ndef\r\nb NOOP\r\n", "a SEARCH OR TEXT {2+}\r\n\r\n FROM x\r\nb NOOP\r\n",
		"a FETCH 1:* (BODY[HEADER.FIELDS (A {1+}\r\nB)])\r\n", "a X {99999999999999999999+}\r\n", "a X {5}\r\nb NOOP\r\n",
		"a APPEND INBOX (\\Seen) ~{4+}\r\n\r\n\r\n\r\n", "a LIST () \"\" (a \"b\" {0+}\r\n)\r\n", "a X ~{2+}\r\n\n\n{1+}\r\n\n\r\n",
	} {
		for kind := range byte(6) {
			f.Add(kind, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, in []byte) {
		src := bytes.NewReader(in)
		r := NewReader(src) // Continue is nil: what waits to be asked for is refused
		if r.Wait() != nil {
			return
		}
		err := parse(r, kind)
		if err == nil || !IsSyntax(err) {
			return
		}
		if err = r.SkipLine(); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			if _, waits, ok := commandEnd(in); ok && !waits {
				t.Fatalf("%q: read past the end of the command", in)
			}
			return
		}
		end, waits, ok := commandEnd(in)
		at := len(in) - src.Len() - r.Buffered()
		switch {
		case errors.Is(err, ErrStream):
			if ok && !waits && !bytes.Contains(in, []byte("}")) {
				t.Fatalf("%q: given up without a literal", in)
			}
		case err != nil:
			t.Fatalf("%q: %v", in, err)
		case !ok || at != end:
			t.Fatalf("%q: stands at %d, the command ends at %d (%t)", in, at, end, ok)
		case waits && at < len(in):
			t.Fatalf("%q: goes on after a literal that was to wait", in)
		}
	})
}

func parse(r *Reader, kind byte) error {
	if _, err := r.Tag(); err != nil {
		return err
	}
	if err := r.SP(); err != nil {
		return err
	}
	if _, err := r.Word(); err != nil {
		return err
	}
	if err := r.SP(); err != nil {
		return err
	}
	var err error
	switch kind % 6 {
	case 0:
		_, err = r.Program()
	case 1:
		if _, err = r.Set(); err == nil {
			if err = r.SP(); err == nil {
				_, err = r.Items()
			}
		}
	case 2:
		if _, err = r.AString(); err == nil {
			if err = r.SP(); err == nil {
				_, err = r.AString()
			}
		}
	case 3:
		_, err = r.Flags()
	case 4:
		err = r.List(func() error { _, _, err := r.NString(); return err })
	case 5:
		if _, err = r.Mailbox(); err == nil {
			if err = r.SP(); err == nil {
				_, err = r.Announcement()
			}
		}
		if err == nil {
			return SyntaxError("refused by what it says")
		}
	}
	if err != nil {
		return err
	}
	return r.CRLF()
}

// FuzzName: a name that is read is written so that it is read again as the same.
func FuzzName(f *testing.F) {
	for _, s := range []string{"INBOX", "&ZeVnLIqe-", "a&-b", "&2D3eAA-/x", "R&D", "&AGE-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := DecodeName(s, false)
		if err != nil || strings.ContainsAny(name, "\x00\r\n") {
			return
		}
		again, err := DecodeName(encodeName(name), false)
		if err != nil || again != name {
			t.Fatalf("%q was read as %q, written as %q, read as %q (%v)", s, name, encodeName(name), again, err)
		}
	})
}
