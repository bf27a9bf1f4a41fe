package bolt

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sampul/store"
)

// A plain store keeps what a sealed one keeps, where anybody can read it, and neither is
// taken for the other.
func TestPlainStore(t *testing.T) {
	dir := t.TempDir()
	o := Options{Dir: dir, Plain: true}
	open := func(o Options) (*Engine, error) { return Open(context.Background(), o) }
	for range 2 {
		e, err := open(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.AddIncident(context.Background(), store.Incident{Sender: "kenari@luar.test"}); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "directory.db"))
	if err != nil || !bytes.Contains(b, []byte("kenari@luar.test")) || !IsPlain(dir) {
		t.Errorf("the text cannot be found: %v", err)
	}
	if e, err := open(Options{Dir: dir, KeyFile: filepath.Join(t.TempDir(), "k")}); !errors.Is(err, store.ErrFormat) {
		t.Errorf("a plain store was opened as a sealed one: %v, %v", e, err)
	}
}
