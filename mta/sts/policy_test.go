package sts

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	const good = "version: STSv1\r\nmode: enforce\r\nmx: mx1.jauh.test\r\nmx: *.jauh.test\r\nmax_age: 604800\r\n"
	week := 604800 * time.Second
	both := []string{"mx1.jauh.test", "*.jauh.test"}
	for _, tt := range []struct {
		name, in string
		want     *Policy // without Lines
	}{
		{"as in the RFC", good, &Policy{Mode: Enforce, MaxAge: week, MX: both}},
		{"LF alone", strings.ReplaceAll(good, "\r", ""), &Policy{Mode: Enforce, MaxAge: week, MX: both}},
		{"no last line end", strings.TrimSuffix(good, "\r\n"), &Policy{Mode: Enforce, MaxAge: week, MX: both}},
		{"blanks after the colon and at the end", "version:\t STSv1 \nmode:testing\nmx:mx1.jauh.test\t\nmax_age:0\n", &Policy{Mode: Testing, MX: both[:1]}},
		{"any order, unknown fields", "max_age: 604800\nmx: mx1.jauh.test\nx-lain.2_: apa saja: ya\nmode: testing\nversion: STSv1", &Policy{Mode: Testing, MaxAge: week, MX: both[:1]}},
		{"given twice: the first", "version: STSv1\nmode: testing\nmode: enforce\nmx: mx1.jauh.test\nmax_age: 604800\nmax_age: 5", &Policy{Mode: Testing, MaxAge: week, MX: both[:1]}},
		{"none needs no mx", "version: STSv1\nmode: none\nmax_age: 604800", &Policy{Mode: None, MaxAge: week}},
		{"upper case in a host", "version: STSv1\nmode: enforce\nmx: MX1.Jauh.Test\nmax_age: 604800", &Policy{Mode: Enforce, MaxAge: week, MX: both[:1]}},
		{"a year at most", "version: STSv1\nmode: none\nmax_age: 9999999999", &Policy{Mode: None, MaxAge: maxAge * time.Second}},
		{"eleven digits", "version: STSv1\nmode: none\nmax_age: 00000000001", nil},
		{"negative age", "version: STSv1\nmode: none\nmax_age: -1", nil},
		{"no age", "version: STSv1\nmode: none", nil},
		{"no version", "mode: none\nmax_age: 1", nil},
		{"another version", "version: STSv2\nmode: none\nmax_age: 1", nil},
		{"no mode", "version: STSv1\nmx: a.test\nmax_age: 1", nil},
		{"another mode", "version: STSv1\nmode: Enforce\nmx: a.test\nmax_age: 1", nil},
		{"no mx", "version: STSv1\nmode: enforce\nmax_age: 1", nil},
		{"a star in the middle", "version: STSv1\nmode: enforce\nmx: mx.*.test\nmax_age: 1", nil},
		{"part of a label", "version: STSv1\nmode: enforce\nmx: mx*.test\nmax_age: 1", nil},
		{"a star alone", "version: STSv1\nmode: enforce\nmx: *\nmax_age: 1", nil},
		{"an address", "version: STSv1\nmode: enforce\nmx: [192.0.2.1]\nmax_age: 1", nil},
		{"HTML", "<html><body>tiada</body></html>", nil},
		{"nothing", "", nil},
		{"a blank before the name", " version: STSv1\nmode: none\nmax_age: 1", nil},
		{"the longest", good + "x: " + strings.Repeat("a", MaxSize-len(good)-3), &Policy{Mode: Enforce, MaxAge: week, MX: both}},
		{"one octet more", good + "x: " + strings.Repeat("a", MaxSize-len(good)-2), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse([]byte(tt.in))
			if (err != nil) != (tt.want == nil) || err != nil && !errors.Is(err, ErrSyntax) {
				t.Fatalf("error %v, want a policy: %v", err, tt.want != nil)
			}
			if err != nil {
				return
			}
			p.Lines = nil
			if !reflect.DeepEqual(p, tt.want) {
				t.Fatalf("got %+v, want %+v", p, tt.want)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	p := &Policy{MX: []string{"mx1.jauh.test", "*.jauh.test"}}
	for host, want := range map[string]bool{
		"mx1.jauh.test": true, "MX9.jauh.test.": true, "jauh.test": false, "a.b.jauh.test": false,
		".jauh.test": false, "mx1.jauh.test.jahat.test": false, "xjauh.test": false, "": false,
	} {
		if p.Match(host) != want {
			t.Errorf("%q matches: %v", host, !want)
		}
	}
}

func TestID(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []string
		id   string
		ok   bool
	}{
		{"as in the RFC", []string{"v=STSv1; id=20160831085700Z;"}, "20160831085700Z", true},
		{"no last semicolon", []string{"v=STSv1;id=a1"}, "a1", true},
		{"blanks", []string{"v=STSv1 ; id = a1 ;"}, "a1", true},
		{"other records beside it", []string{"v=spf1 -all", "v=STSv1; id=1;"}, "1", true},
		{"two", []string{"v=STSv1; id=1;", "v=STSv1; id=2;"}, "", false},
		{"none", []string{"v=spf1 -all"}, "", false},
		{"no id", []string{"v=STSv1; x=1;"}, "", false},
		{"version not first", []string{"id=1; v=STSv1;"}, "", false},
		{"version longer", []string{"v=STSv12; id=1;"}, "", false},
		{"id too long", []string{"v=STSv1; id=" + strings.Repeat("a", 33)}, "", false},
		{"id of other letters", []string{"v=STSv1; id=a-b"}, "", false},
		{"first id counts", []string{"v=STSv1; id=1; id=2"}, "1", true},
	} {
		id, ok := ID(tt.in)
		if ok != tt.ok || ok && id != tt.id {
			t.Errorf("%s: got %q, %v; want %q, %v", tt.name, id, ok, tt.id, tt.ok)
		}
	}
}

// What we publish, others read as we meant it; a change of the policy is a change of its ID.
func TestOurs(t *testing.T) {
	p := Ours([]string{"MX1.agensi-a.test.", "mx2.agensi-a.test"}, "enforce")
	got, err := Parse([]byte(p.String()))
	if err != nil || got.Mode != Enforce || got.MaxAge != ourAge || !got.Match("mx1.agensi-a.test") {
		t.Fatalf("%q was read as %+v, %v", p, got, err)
	}
	id, ok := ID([]string{Record(p)})
	if !ok || id != PolicyID(p) {
		t.Errorf("record %q", Record(p))
	}
	if PolicyID(Ours([]string{"mx1.agensi-a.test"}, "enforce")) == id || PolicyID(Ours(p.MX, "testing")) == id {
		t.Error("another policy has the same ID")
	}
}

// A policy that was read is published and read again alike, and matches no empty name.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte("version: STSv1\r\nmode: enforce\r\nmx: mx1.jauh.test\r\nmx: *.jauh.test\r\nmax_age: 604800\r\n"))
	f.Add([]byte("version: STSv1\nmode: none\nmax_age: 0"))
	f.Add([]byte("version:STSv1\nmode:testing\nmx:a\nx: y\n\nmax_age:99999999999"))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := Parse(in)
		if err != nil {
			return
		}
		again, err := Parse([]byte(p.String()))
		if err != nil || again.Mode != p.Mode || again.MaxAge != p.MaxAge || !reflect.DeepEqual(again.MX, p.MX) {
			t.Fatalf("%q was read as %+v, then as %+v, %v", in, p, again, err)
		}
		if p.Match("") || len(p.MX) > maxMX {
			t.Fatalf("%q: %+v", in, p)
		}
		for _, l := range p.Lines {
			if strings.ContainsAny(l, "\r\n") && !strings.Contains(l, "\r") {
				t.Fatalf("line %q", l)
			}
		}
	})
}
