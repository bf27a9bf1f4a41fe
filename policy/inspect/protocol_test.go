package inspect

import (
	"bufio"
	"bytes"
	"image"
	"testing"

	"sampul/policy/extract"
	"sampul/policy/mark"
)

func TestFrames(t *testing.T) {
	var b bytes.Buffer
	if err := writeFrame(&b, frameRequest, request{CPU: 3}, []byte("satu"), []byte(" dua")); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	f, err := readFrame(bufio.NewReader(bytes.NewReader(whole)), 8)
	var r request
	if err != nil || f.kind != frameRequest || f.decode(&r) != nil || r.CPU != 3 || string(f.data) != "satu dua" {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := readFrame(bufio.NewReader(bytes.NewReader(whole)), 7); err != errGarbage {
		t.Errorf("more data than allowed: %v", err)
	}
	for n := range whole {
		if f, err := readFrame(bufio.NewReader(bytes.NewReader(whole[:n])), 8); err == nil {
			t.Errorf("%d octets are a frame: %+v", n, f)
		}
	}
}

// All numbers of a budget, and all of the settings, come to a worker.
func TestRequestIsPlainData(t *testing.T) {
	var b bytes.Buffer
	in := request{Document: extract.Document{Path: "p", Name: "n", Used: extract.Used{Units: 4}}, Budget: extract.Budget{Depth: 1, Members: 2, Text: 3, CPU: 5},
		Settings: &mark.Settings{Version: "v", Labels: map[string]mark.Class{"*/x": mark.Rahsia}}, Changed: true}
	in.Budget.Worth = mark.Maybe
	if err := writeFrame(&b, frameRequest, in); err != nil {
		t.Fatal(err)
	}
	f, err := readFrame(bufio.NewReader(&b), 0)
	var out request
	if err != nil || f.decode(&out) != nil {
		t.Fatal(err)
	}
	if out.Budget.Depth != 1 || out.Budget.Members != 2 || out.Budget.Text != 3 || out.Budget.CPU != 5 || out.Document.Used.Units != 4 ||
		out.Settings.Labels["*/x"] != mark.Rahsia || out.Document.Path != "p" {
		t.Errorf("%+v", out)
	}
}

// What a worker says may be anything: it has read what strangers wrote.
func FuzzWorkerSays(f *testing.F) {
	for _, seed := range []struct {
		kind byte
		head any
		data string
	}{
		{frameAnswer, answer{Report: Report{Gaps: []extract.Gap{{Path: "attachment 1", Kind: "pdf", Reason: extract.Locked}},
			Found: mark.Found{Findings: []mark.Finding{{Path: "attachment 1 > x", Class: mark.Rahsia}}}}}, ""},
		{framePages, pages{Sizes: []image.Point{{2, 2}, {3, 1}}}, "abcdefg"},
		{frameHello, hello{Version: version}, ""},
		{frameFailed, struct{}{}, ""},
	} {
		var b bytes.Buffer
		if err := writeFrame(&b, seed.kind, seed.head, []byte(seed.data)); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, err := readFrame(bufio.NewReader(bytes.NewReader(b)), 1<<20)
		if err != nil {
			return
		}
		if n := len(fr.head) + len(fr.data); n > len(b) {
			t.Fatalf("%d octets out of %d", n, len(b))
		}
		switch fr.kind {
		case frameAnswer:
			var a answer
			if fr.decode(&a) == nil && a.Report.sound("attachment 1") {
				mark.Weigh(a.Report.Found)
			}
		case framePages:
			var p pages
			if fr.decode(&p) != nil {
				return
			}
			all, err := pictures(&p, fr.data)
			n := 0
			for _, g := range all {
				n += len(g.Pix)
			}
			if err == nil && n != len(fr.data) {
				t.Fatalf("%d pixels of %d", n, len(fr.data))
			}
		}
	})
}
