package policy

import (
	"bytes"
	"context"
	"testing"

	marked "sampul/internal/carriers"
	"sampul/internal/gate"
	"sampul/internal/message"
)

// The same mark is found in documents of all kinds.
func TestEveryCarrierIsOpened(t *testing.T) {
	all, err := marked.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 30 {
		t.Fatalf("only %d carriers", len(all))
	}
	e := New(Options{Recorder: &recorder{}})
	for _, c := range all {
		if c.OCR {
			continue // needs a program: package ocr and the suite as a whole try those
		}
		text := c.Attached("orang@luar.test", "pegawai1@agensi-a.test", "Bahan")
		m := mailOf("")
		m.Body, m.Index = bytes.NewReader([]byte(text)), message.Parse([]byte(text))
		m.Purpose = gate.Mailbox
		v, err := e.Judge(context.Background(), way(m, In))
		if err != nil || v.Class != Rahsia {
			t.Errorf("%s: %v, %v", c.Name, v, err)
		}
	}
}
