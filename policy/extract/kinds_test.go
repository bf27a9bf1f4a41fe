package extract

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// chanced are n octets of no order, always the same.
func chanced(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestKinds(t *testing.T) {
	for name, c := range map[string]struct {
		file, content, kind string
	}{
		"program":              {"a.txt", "MZ\x90\x00\x03\x00\x00\x00\x04", "executable"},
		"text that begins so":  {"a.txt", "MZ Consulting, Jalan Satu", "text"},
		"ELF":                  {"a", "\x7fELF\x02\x01\x01", "executable"},
		"batch":                {"a.bat", "@echo off\r\n", "script"},
		"shell":                {"a", "#!/bin/sh\necho\n", "script"},
		"hta":                  {"a.hta", "<html><script></script></html>", "script"},
		"sound":                {"a.mp3", "ID3\x04\x00\x00\x00\x00\x00\x00\xff\xfb\x90\x00", "audio"},
		"text called sound":    {"a.mp3", "ID3\r\nRAHSIA\r\n", "text"},
		"film":                 {"a.mp4", "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isom", "video"},
		"text with ftyp":       {"a.txt", "the ftyp of a file", "text"},
		"shortcut":             {"a.lnk", "L\x00\x00\x00\x01\x14\x02\x00\x00\x00", "shortcut"},
		"old tar":              {"a.tar", oldTar("a.txt", "isi"), "tar"},
		"few octets":           {"a.bin", "\x00\x01\x02\x03\xff\xfe\xfd\x80", "unknown binary"},
		"text with more after": {"a.txt", "RIFF is a format\n", "text"},
	} {
		r := read(t, c.file, []byte(c.content))
		if len(r.Files) == 0 || r.Files[0].Kind != c.kind {
			t.Errorf("%s: %+v", name, r.Files)
		}
		for _, g := range r.Gaps {
			if g.Reason != Damaged {
				t.Errorf("%s: %+v", name, g)
			}
		}
	}
}

// oldTar is an archive from before ustar.
func oldTar(name, content string) string {
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], octal(len(content))+"\x00"+octal(0)+"\x00        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], octal(sum)[5:]+"\x00 ")
	body := make([]byte, (len(content)+511)/512*512)
	copy(body, content)
	return string(h) + string(body) + strings.Repeat("\x00", 1024)
}

func octal(n int) string {
	var b [11]byte
	for i := 10; i >= 0; i-- {
		b[i] = '0' + byte(n&7)
		n >>= 3
	}
	return string(b[:])
}

func TestStrings(t *testing.T) {
	for name, content := range map[string]string{
		"8 bits":         "\x00\x01\x02\xff\xfe\x81RAHSIA\x00\x03\x9f\x80\x00\x00",
		"16 bits":        "\x00\x01\xff\xff\x80\x81\x82\x83" + string(utf16Text("RAHSIA")) + "\x03\x9f\x80\x81",
		"16 bits, odd":   "\x01\xff\xff\x80\x81\x82\x83" + string(utf16Text("RAHSIA")) + "\x03\x9f\x80\x81",
		"16 bits, big":   "\x01\xff\xff\x80\x81\x82\x83\x00R\x00A\x00H\x00S\x00I\x00A\x03\x9f\x80\x81",
		"a program":      "MZ\x90\x00\x03\x00\x00\x00RAHSIA\x00\x00\x00",
		"a film's title": "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isom\x00\x00\x00\x0eRAHSIA\x00\x00\x00",
		"a database":     "SQLite format 3\x00\x10\x00\x01\x01\x00RAHSIA\x00\x00",
	} {
		r := read(t, "a.bin", []byte(content))
		if all := strings.Join(found(r), "\n"); !strings.Contains(all, "strings|body|RAHSIA") {
			t.Errorf("%s: %.300q, gaps %v", name, all, r.Gaps)
		}
	}
}

func TestHidden(t *testing.T) {
	z := string(zipped(t, "c.txt", "SULIT"))
	for name, content := range map[string]string{
		"film and zip":    "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isom\x00\x00\x00\x00" + z,
		"text and zip":    strings.Repeat("Perkara: satu dua\n", 1000) + z,
		"program and zip": "MZ\x90\x00\x03\x00\x00\x00" + strings.Repeat("\x90\x00", 100) + z,
		"picture and zip": "\x89PNG\r\n\x1a\n" + strings.Repeat("\x90\x00", 100) + z,
	} {
		r := read(t, "a.bin", []byte(content))
		if all := strings.Join(found(r), "\n"); !strings.Contains(all, "> c.txt|SULIT") {
			t.Errorf("%s: %.300q, gaps %v", name, all, r.Gaps)
		}
	}
}
