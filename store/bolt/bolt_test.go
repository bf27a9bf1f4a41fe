package bolt_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"sampul/internal/seal"
	"sampul/store"
	"sampul/store/bolt"
	"sampul/store/storetest"
)

// keyFile gives the key file of a store: beside its directory, made once.
func keyFile(t testing.TB, dir string) string {
	path := filepath.Clean(dir) + ".key"
	if _, err := os.Stat(path); err != nil {
		if err := seal.CreateKeyFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func open(t testing.TB, dir string) *bolt.Engine {
	t.Helper()
	e, err := bolt.Open(context.Background(), bolt.Options{Dir: dir, KeyFile: keyFile(t, dir), Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// verify fails the test when the store on disk is not in order.
func verify(t testing.TB, e *bolt.Engine) {
	t.Helper()
	if err := e.Verify(context.Background(), func(s string) { t.Error("verify:", s) }); err != nil {
		t.Error("verify:", err)
	}
}

// verified is the engine that reads everything again when it is closed.
type verified struct {
	*bolt.Engine
	t testing.TB
}

func (v verified) Close() error {
	if v.Err() == nil && !v.t.Failed() {
		if err := v.Verify(context.Background(), func(s string) { v.t.Error("verify:", s) }); err != nil && err != store.ErrClosed {
			v.t.Error("verify:", err)
		}
	}
	return v.Engine.Close()
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t testing.TB, dir string) store.Store { return verified{open(t, dir), t} })
}
