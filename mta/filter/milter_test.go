package filter

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sampul/internal/peers"
)

func TestOpenDKIM(t *testing.T) {
	daemon := peers.OpenDKIM(t, "dalam.test", "dkim.dalam.test")
	c, _ := chain(t, Options{}, Config{Name: "dkim", Type: "milter", Address: daemon.Address})

	// With a login it signs.
	text := strings.Replace(plainText, "orang@luar.test", "pegawai1@dalam.test", 1)
	m := mail(text)
	m.Scope, m.Account, m.From = Out, "pegawai1@dalam.test", "pegawai1@dalam.test"
	o := ask(t, c, m)
	signedPrefix, msg := applied(t, m, o)
	if msg != text || !strings.Contains(signedPrefix, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=dalam.test;") {
		t.Fatalf("nothing was signed:\n%s\n%s", signedPrefix, msg)
	}
	signature := signedPrefix[strings.Index(signedPrefix, "DKIM-Signature:"):]
	signature, _, _ = strings.Cut(signature, "Authentication-Results:")

	// From outside it verifies.
	for _, tt := range []struct{ name, msg, want string }{
		{"good", signature + text, "dkim=pass"},
		{"with another body", strings.Replace(signature+text, "Apa khabar?", "Apa?", 1), "dkim=fail"},
		{"without content", plainText[:strings.Index(plainText, "Apa")], "dkim=none"},
		{"unsigned", text, "dkim=none"},
	} {
		m := mail(tt.msg)
		p, msg := applied(t, m, ask(t, c, m))
		if msg != tt.msg || !strings.Contains(p, tt.want) {
			t.Errorf("%s: want %s, got\n%s\n%s", tt.name, tt.want, p, msg)
		}
		// It asks for position 0.
		if !strings.HasPrefix(p, "Return-Path: <orang@luar.test>\nAuthentication-Results: dkim.dalam.test;") {
			t.Errorf("%s: the result does not stand on top:\n%s", tt.name, p)
		}
	}
	if h := c.Probe(context.Background()); h[0].Err != nil {
		t.Error(h[0].Err)
	}

	// A second implementation agrees with what was signed.
	t.Run("python3-dkim", func(t *testing.T) {
		cmd := exec.Command(peers.Python(t, "dkim"), "-c", `import sys, dkim
record, text = sys.argv[1].encode(), sys.stdin.buffer.read()
print(dkim.verify(text, dnsfunc=lambda name, timeout=5: record))`, daemon.Record)
		cmd.Stdin = strings.NewReader(strings.ReplaceAll(signature+text, "\n", "\r\n"))
		if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "True" {
			t.Errorf("it says %s, %v", out, err)
		}
	})
}

func TestClamavMilter(t *testing.T) {
	daemon := peers.Clamd(t, 0)
	for onInfected, want := range map[string]Action{"Quarantine": Quarantine, "Reject": Reject, "Blackhole": Discard, "Defer": Tempfail} {
		filter := peers.ClamavMilter(t, daemon, onInfected)
		c, _ := chain(t, Options{}, Config{Name: "virus", Type: "milter", Address: filter.Address})
		o := ask(t, c, withZip(t, peers.EICAR()))
		if o.Action != want || o.Filter != "virus" || o.Reason == "" {
			t.Errorf("%s: got %+v, want %v", onInfected, o, want)
		}
		clean := mail(plainText)
		o = ask(t, c, clean)
		if p, msg := applied(t, clean, o); o.Action != Accept || !strings.Contains(p, "X-Virus-Scanned: ") {
			t.Errorf("%s: a clean message: %+v\n%s", onInfected, o, msg)
		}
	}
}

// fakeMilter answers as it is told. Packets are written as a code and its data.
type fakeMilter struct {
	version, actions, protocol uint32
	macros                     string              // asked for at RCPT
	answers                    map[string][]string // by command, or command and data; else continue
	got                        []string            // what came, without macros' numbers
}

const (
	allActions = 0x1ff
	noReplies  = 0x000ff080
	skips      = 1 << 10
)

// dial connects to the fake, as Options.Dial.
func (f *fakeMilter) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go f.serve(theirs)
	return ours, nil
}

func (f *fakeMilter) serve(c net.Conn) {
	defer c.Close()
	for {
		code, data, err := readPacket(c)
		if err != nil {
			return
		}
		switch code {
		case 'O':
			b := binary.BigEndian.AppendUint32(nil, f.version)
			b = binary.BigEndian.AppendUint32(b, f.actions)
			b = binary.BigEndian.AppendUint32(b, f.protocol)
			if f.macros != "" {
				b = binary.BigEndian.AppendUint32(b, 3)
				b = append(b, f.macros+"\x00"...)
			}
			writePacket(c, "O"+string(b))
			continue
		case 'D':
			f.got = append(f.got, "D"+data)
			continue
		case 'Q':
			return
		}
		f.got = append(f.got, string(code)+data)
		answers, ok := f.answers[string(code)+data]
		if !ok {
			answers, ok = f.answers[string(code)]
		}
		if !ok && !f.silent(code) {
			answers = []string{"c"}
		}
		for _, a := range answers {
			if writePacket(c, a) != nil {
				return
			}
		}
	}
}

// silent says whether the fake negotiated that it does not answer this.
func (f *fakeMilter) silent(code byte) bool {
	bits := map[byte]uint32{'C': 1 << 12, 'H': 1 << 13, 'M': 1 << 14, 'R': 1 << 15, 'T': 1 << 16, 'L': 1 << 7, 'N': 1 << 18, 'B': 1 << 19}
	return f.protocol&bits[code] != 0
}

func readPacket(r io.Reader) (byte, string, error) {
	var size uint32
	if err := binary.Read(r, binary.BigEndian, &size); err != nil {
		return 0, "", err
	}
	b := make([]byte, size)
	_, err := io.ReadFull(r, b)
	return b[0], string(b[1:]), err
}

func writePacket(w io.Writer, p string) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(p))), p...))
	return err
}

// played is the chain's outcome with a fake milter.
func played(t *testing.T, f *fakeMilter, m *Mail) (*Outcome, string) {
	t.Helper()
	if f.version == 0 {
		f.version = 6
	}
	c, log := chain(t, Options{Dial: f.dial}, Config{Name: "palsu", Type: "milter", Address: "unix:/palsu"})
	o := ask(t, c, m)
	return o, log.String()
}

// said is a connection on which the other side has said all that it will.
type said struct {
	net.Conn
	r io.Reader
}

func (s said) Read(p []byte) (int, error)  { return s.r.Read(p) }
func (s said) Write(p []byte) (int, error) { return len(p), nil }
func (s said) Close() error                { return nil }

// Whatever a milter sends, the library is only given packets that it can read, and what
// comes of them is safe to put into a message and a reply.
func FuzzMilterAnswers(f *testing.F) {
	negotiation := packet("O\x00\x00\x00\x06\x00\x00\x01\xff\x00\x0f\xf0\x80")
	for _, end := range []string{"a", "y550-5.7.1 a\r\n550 b\x00", "hX-A\x001\n\n2\x00", "i\x00\x00\x00\x01X-B\x00b\x00", "m\x00\x00\x00\x01Subject\x00\x00", "bisi\r", "e<>\x00", "+<a@b>\x00", "qq\x00", "p"} {
		f.Add([]byte(negotiation + packet(end) + packet("c")))
	}
	f.Add([]byte(negotiation + "\x00\x00\x00\x00"))
	c, _ := chain(f, Options{MaxBody: 1 << 20}, Config{Name: "palsu", Type: "milter", Address: "unix:/palsu"})
	f.Fuzz(func(t *testing.T, in []byte) {
		filter := c.links[0].filter.(*milterFilter)
		filter.dial = func(context.Context, string, string) (net.Conn, error) { return said{r: bytes.NewReader(in)}, nil }
		m := mail(plainText)
		o, err := filter.Check(context.Background(), m)
		if err != nil {
			if strings.Contains(err.Error(), "cannot be read") {
				t.Fatalf("the library panicked: %v", err)
			}
			return
		}
		defer o.Close()
		if o.tidy(m) != nil {
			return
		}
		if strings.ContainsAny(o.Text+o.Reason+o.Enhanced, "\r\n\x00") || o.Action >= Tempfail && (o.Code < 400 || o.Code > 599) {
			t.Fatalf("no reply of one line: %+v", o)
		}
		p, msg := applied(t, m, o)
		for l := range strings.Lines(p + msg[:strings.Index("\n"+msg, "\n\n")]) {
			if l[0] != ' ' && l[0] != '\t' && !strings.Contains(l, ":") {
				t.Fatalf("a line that is no field: %q", l)
			}
		}
	})
}

// What a milter is told, and when, is what Postfix tells it.
func TestMilterDialogue(t *testing.T) {
	m := mail("Subject: satu\n dua\nFrom:a@b.test\n\nisi\n")
	m.Hostname, m.TLS, m.Account = "mail.luar.test", "TLS 1.3 TLS_AES_128_GCM_SHA256", "orang@luar.test"
	m.IP = netip.MustParseAddr("2001:db8::7")
	want := []string{
		"DCj\x00mx.dalam.test\x00{daemon_name}\x00mx\x00v\x00Sampul\x00{client_addr}\x002001:db8::7\x00{client_name}\x00mail.luar.test\x00{client_port}\x002525\x00{client_ptr}\x00mail.luar.test\x00",
		"Cmail.luar.test\x006\x09\xdd2001:db8::7\x00",
		"DH{tls_version}\x00TLSv1.3\x00{cipher}\x00TLS_AES_128_GCM_SHA256\x00",
		"Hluar.test\x00",
		"DMi\x004fKx9TqLm2\x00{auth_type}\x00PLAIN\x00{auth_authen}\x00orang@luar.test\x00{mail_addr}\x00orang@luar.test\x00{mail_host}\x00luar.test\x00{mail_mailer}\x00smtp\x00",
		"M<orang@luar.test>\x00SIZE=43\x00",
		"DRi\x004fKx9TqLm2\x00{rcpt_addr}\x00pegawai1@dalam.test\x00{rcpt_host}\x00dalam.test\x00{rcpt_mailer}\x00smtp\x00",
		"R<pegawai1@dalam.test>\x00",
		"DRi\x004fKx9TqLm2\x00{rcpt_addr}\x00pegawai2@dalam.test\x00{rcpt_host}\x00dalam.test\x00{rcpt_mailer}\x00smtp\x00",
		"R<pegawai2@dalam.test>\x00",
		"DTi\x004fKx9TqLm2\x00", "T",
		"LAuthentication-Results\x00mx.dalam.test; spf=pass\x00",
		"LSubject\x00satu\n dua\x00", "LFrom\x00a@b.test\x00",
		"DNi\x004fKx9TqLm2\x00", "N",
		"Bisi\r\n",
		"DEi\x004fKx9TqLm2\x00", "E",
	}
	f := &fakeMilter{actions: allActions}
	if o, log := played(t, f, m); o.Action != Accept || o.Changed {
		t.Errorf("got %+v; %s", o, log)
	}
	if !reflect.DeepEqual(f.got, want) {
		t.Errorf("the milter heard\n%q\nwant\n%q", f.got, want)
	}

	commands := func(f *fakeMilter) string {
		var s string
		for _, g := range f.got {
			s += g[:1]
		}
		return strings.ReplaceAll(s, "D", "")
	}
	for _, tt := range []struct {
		name     string
		protocol uint32
		answers  map[string][]string
		want     string
	}{
		{"all", 0, nil, "CHMRRTLLLNBE"},
		{"no replies", noReplies, nil, "CHMRRTLLLNBE"},
		{"nothing but the end", 0x37f, nil, "E"},
		{"no body", 1 << 4, nil, "CHMRRTLLLNE"},
		{"skip recipients", skips, map[string][]string{"R": {"s"}}, "CHMRTLLLNBE"},
		{"skip the header", skips, map[string][]string{"L": {"s"}}, "CHMRRTLNBE"},
		{"progress", 0, map[string][]string{"N": {"p", "p", "c"}, "E": {"p", "c"}}, "CHMRRTLLLNBE"},
		{"accept at connect", 0, map[string][]string{"C": {"a"}}, "C"},
		{"accept at RCPT", 0, map[string][]string{"R": {"a"}}, "CHMR"},
		{"accept in the header", 0, map[string][]string{"L": {"a"}}, "CHMRRTL"},
	} {
		f := &fakeMilter{actions: allActions, protocol: tt.protocol, answers: tt.answers}
		if o, log := played(t, f, m); o.Action != Accept || commands(f) != tt.want {
			t.Errorf("%s: got %s, %v, want %s; %s", tt.name, commands(f), o.Action, tt.want, log)
		}
	}

	for _, protocol := range []uint32{0, noReplies, 1 << 4} {
		f = &fakeMilter{actions: allActions, protocol: protocol}
		if o, log := played(t, f, mail("Subject: kosong\n\n")); o.Action != Accept || commands(f) != "CHMRRTLLNE" {
			t.Errorf("no content, with protocol %#x: %s, %v; %s", protocol, commands(f), o.Action, log)
		}
	}
	f = &fakeMilter{version: 2, actions: allActions & 0x3f}
	if o, log := played(t, f, m); o.Action != Accept || commands(f) != "CHMRRLLLNBE" {
		t.Errorf("version 2: %s, %v; %s", commands(f), o.Action, log)
	}
	f = &fakeMilter{actions: allActions, protocol: 1 << 20, macros: "{rcpt_addr}"}
	if o, log := played(t, f, m); o.Action != Accept || !slices.Contains(f.got, "LSubject\x00 satu\n dua\x00") ||
		!slices.Contains(f.got, "DR{rcpt_addr}\x00pegawai2@dalam.test\x00") || slices.ContainsFunc(f.got, func(s string) bool { return strings.HasPrefix(s, "DC") }) {
		t.Errorf("leading space and macros of its choice: %v, %q; %s", o.Action, f.got, log)
	}
	f = &fakeMilter{actions: allActions, protocol: skips, answers: map[string][]string{"B": {"s"}}}
	if played(t, f, mail("Subject: besar\n\n"+strings.Repeat("0123456\n", 20000))); commands(f) != "CHMRRTLLNBE" {
		t.Errorf("skip the body: %s", commands(f))
	}
	f = &fakeMilter{actions: allActions}
	if played(t, f, mail("Subject: besar\n\n"+strings.Repeat("0123456\n", 20000))); commands(f) != "CHMRRTLLNBBBE" {
		t.Errorf("a body of three pieces: %s", commands(f))
	}
}

func TestMilterReplies(t *testing.T) {
	const one, two = "<pegawai1@dalam.test>\x00", "<pegawai2@dalam.test>\x00"
	for _, tt := range []struct {
		name    string
		answers map[string][]string
		want    string
	}{
		{"reject at the end", map[string][]string{"E": {"r"}}, "reject 550 5.7.1 Mesej ditolak oleh penapis / message refused by a filter"},
		{"tempfail at HELO", map[string][]string{"H": {"t"}}, "tempfail 451 4.7.1 Cuba lagi kemudian / try again later"},
		{"discard in the body", map[string][]string{"B": {"d"}}, "discard 0  "},
		{"in its words", map[string][]string{"E": {"y554 5.6.1 tidak\x00"}}, "reject 554 5.6.1 tidak"},
		{"in its words, for now", map[string][]string{"M": {"y451 4.3.2 nanti\x00"}}, "tempfail 451 4.3.2 nanti"},
		{"in two lines", map[string][]string{"E": {"y550-5.7.1 satu\r\n550 5.7.1 dua\x00"}}, "reject 550 5.7.1 satu dua"},
		{"without an enhanced code", map[string][]string{"E": {"y550 tidak\x00"}}, "reject 550 5.7.1 tidak"},
		{"421", map[string][]string{"E": {"y421 4.7.0 tutup\x00"}}, "tempfail 451 4.7.0 tutup"},
		{"changes before a refusal", map[string][]string{"E": {"hX-A\x001\x00", "+<x@y.test>\x00", "bx", "r"}}, "reject 550 5.7.1 Mesej ditolak oleh penapis / message refused by a filter"},
		{"every recipient", map[string][]string{"R": {"y550 5.1.1 tiada\x00"}}, "reject 550 5.1.1 <pegawai1@dalam.test>: tiada"},
		{"one recipient", map[string][]string{"R" + two: {"y550 5.1.1 tiada\x00"}},
			"reject 550 5.1.1 <pegawai2@dalam.test>: tiada (sent to nobody: send it again without that recipient)"},
		{"one recipient, for now", map[string][]string{"R" + one: {"t"}},
			"tempfail 451 4.7.1 <pegawai1@dalam.test>: Cuba lagi kemudian / try again later (sent to nobody: send it again without that recipient)"},
		{"the stricter of two", map[string][]string{"R" + one: {"t"}, "R" + two: {"r"}},
			"reject 550 5.7.1 <pegawai2@dalam.test>: Mesej ditolak oleh penapis / message refused by a filter"},
	} {
		o, log := played(t, &fakeMilter{actions: allActions, answers: tt.answers}, mail(plainText))
		if got := fmt.Sprintf("%v %d %s %s", o.Action, o.Code, o.Enhanced, o.Text); got != tt.want || o.Filter != "palsu" || o.Changed || o.Body != nil {
			t.Errorf("%s: got %q, %+v, want %q; %s", tt.name, got, o, tt.want, log)
		}
	}
}

func TestMilterChanges(t *testing.T) {
	number := func(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
	f := &fakeMilter{actions: allActions, answers: map[string][]string{"E": {
		"hX-A\x00satu\n dua\x00",
		"i" + number(1) + "X-Virus\x00b\x00",
		"m" + number(2) + "X-Test\x00lain\x00",
		"m" + number(1) + "X-Test\x00\x00",
		"bBaris sa", "btu\nbaris dua\r", "b\nbaris tiga\rtamat",
		"e<lain@luar.test>\x00",
		"2<baru@dalam.test>\x00NOTIFY=NEVER\x00", "+<baru2@dalam.test>\x00", "-<pegawai1@dalam.test>\x00",
		"p", "qdisyaki\x00", "c",
	}}}
	m := mail(plainText)
	o, log := played(t, f, m)
	if o.Action != Quarantine || o.Reason != "disyaki" || !o.Changed || o.From == nil || *o.From != "lain@luar.test" ||
		!reflect.DeepEqual(o.AddTo, []string{"baru@dalam.test", "baru2@dalam.test"}) || !reflect.DeepEqual(o.DropTo, []string{"pegawai1@dalam.test"}) {
		t.Errorf("got %+v; %s", o, log)
	}
	p, msg := applied(t, m, o)
	wantPrefix := strings.Replace(lfPrefix, "Authentication", "X-Virus: b\nAuthentication", 1)
	want := "From: orang@luar.test\nTo: pegawai1@dalam.test\nSubject: cuba\nX-Test: lain\nX-A: satu\n dua\n\nBaris satu\nbaris dua\nbaris tiga\ntamat\n"
	if p != wantPrefix || msg != want || o.BodySize != int64(len("Baris satu\r\nbaris dua\r\nbaris tiga\r\ntamat\r\n")) {
		t.Errorf("got\n%s\n%s\nwant\n%s\n%s", p, msg, wantPrefix, want)
	}
	// The null reverse-path is one too.
	o, _ = played(t, &fakeMilter{actions: allActions, answers: map[string][]string{"E": {"e<>\x00", "a"}}}, mail(plainText))
	if o.From == nil || *o.From != "" || o.Action != Accept {
		t.Errorf("got %+v", o)
	}
}
