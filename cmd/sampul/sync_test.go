package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// brokenIndex builds the command with a copy of bbolt whose fdatasync of mailbox files
// fails as soon as the file named by SAMPUL_TEST_BROKEN exists.
func brokenIndex(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	copied := filepath.Join(dir, "bbolt")
	if err := os.CopyFS(copied, os.DirFS(goSays(t, "list", "-m", "-f", "{{.Dir}}", "go.etcd.io/bbolt"))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(copied, "bolt_linux.go")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("this platform's bbolt syncs by another file: %v", err)
	}
	const at = "return syscall.Fdatasync("
	if !strings.Contains(string(b), at) || !strings.Contains(string(b), "import (") {
		t.Fatalf("%s has changed: this test must follow", file)
	}
	text := strings.Replace(string(b), "import (", "import (\n\t\"os\"\n\t\"strings\"", 1)
	text = strings.Replace(text, at, `if strings.Contains(db.path, "mail-") {
		if _, err := os.Stat(os.Getenv("SAMPUL_TEST_BROKEN")); err == nil {
			return syscall.EIO
		}
	}
	`+at, 1)
	if err := errors.Join(os.Chmod(file, 0o600), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	mod := goSays(t, "env", "GOMOD")
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(mod), name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "go.mod" {
			b = append(b, "\nreplace go.etcd.io/bbolt => "+copied+"\n"...)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(dir, "sampul")
	goSays(t, "build", "-modfile", filepath.Join(dir, "go.mod"), "-o", bin, ".")
	return bin
}

func goSays(t *testing.T, args ...string) string {
	t.Helper()
	var bad strings.Builder
	c := exec.Command("go", args...)
	c.Stderr = &bad
	out, err := c.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", args[0], err, bad.String())
	}
	return strings.TrimSpace(string(out))
}

// A sync of the index that fails ends the process with an error; the next start has all
// that was acknowledged, once.
func TestFailedSyncOfTheIndexEndsTheProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command once more")
	}
	bin := brokenIndex(t)
	dir := t.TempDir()
	a := &acknowledged{all: map[string][32]byte{}}
	for round := range 3 {
		broken := filepath.Join(t.TempDir(), "broken")
		r := startBinary(t, bin, []string{"SAMPUL_TEST_BROKEN=" + broken}, "--dir", dir)
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.send(r, 100+round, 0)
		}()
		before := len(a.all)
		eventually(t, "some mail", func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return len(a.all) > before+5
		})
		if err := os.WriteFile(broken, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		<-done // the server has gone away
		err := r.cmd.Wait()
		if r.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(r.log.String(), "a write failed") {
			t.Fatalf("after a failed sync: %v\n%s", err, r.log)
		}
	}
	r := startDemo(t, "--dir", dir)
	eventually(t, "everything filed", func() bool { return len(r.inbox("pegawai1@agensi-a.test")) >= len(a.all) })
	a.check(r)
	r.terminate()
	if out, bad, exit := sampul(t, "", "store", "verify", "--dir", dir); exit != 0 {
		t.Errorf("store verify: exit %d\n%s%s", exit, out, bad)
	}
	t.Logf("%d messages were acknowledged before and between three failures", len(a.all))
}
