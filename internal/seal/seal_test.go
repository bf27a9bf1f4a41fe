package seal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	k, err := EnsureKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v; want 0600", fi.Mode(), err)
	}
	if err := CreateKeyFile(path); !errors.Is(err, os.ErrExist) {
		t.Fatalf("a key file was overwritten: %v", err)
	}
	d, wrapped, err := k.NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d2, err := again.Unwrap(wrapped)
	if err != nil || d2.key != d.key {
		t.Fatalf("unwrapped another key, %v", err)
	}
	other, err := EnsureKeyFile(path + "2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Unwrap(wrapped); !errors.Is(err, ErrKey) {
		t.Fatalf("another key file: got %v, want ErrKey", err)
	}
}

func TestBadKeyFilesAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{"others may read", keyFileTag + " " + strings.Repeat("A", 43) + "=\n", 0o640, "can be read by others"},
		{"short key", keyFileTag + " AAAA\n", 0o600, "holds no line"},
		{"empty", "", 0o600, "holds no line"},
	} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(tt.text), tt.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKeyFile(path); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestDerivedKeysAreBound(t *testing.T) {
	d := Ephemeral()
	a, err := d.AEAD("rows", []byte("salt"))
	if err != nil {
		t.Fatal(err)
	}
	sealed := a.Seal(nil, nil, []byte("isi"), []byte("bucket|key"))
	if len(sealed) != 3+Overhead {
		t.Fatalf("%d octets for 3: overhead is not %d", len(sealed), Overhead)
	}
	if got, err := a.Open(nil, nil, sealed, []byte("bucket|key")); err != nil || string(got) != "isi" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := a.Open(nil, nil, sealed, []byte("bucket|other")); err == nil {
		t.Fatal("opened in another place")
	}
	for _, b := range []struct{ label, salt string }{{"rows", "other"}, {"other", "salt"}} {
		o, err := d.AEAD(b.label, []byte(b.salt))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Open(nil, nil, sealed, []byte("bucket|key")); err == nil {
			t.Fatalf("opened with the key of %+v", b)
		}
	}
	m1, m2 := d.MAC("x", []byte("ab"), []byte("c")), d.MAC("x", []byte("a"), []byte("bc"))
	if bytes.Equal(m1[:], m2[:]) {
		t.Fatal("pieces are not bound to their lengths")
	}
}
