package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
)

// swaks sends a message and gives what was said.
func (r *running) swaks(data string, args ...string) (string, error) {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "message")
	if err := os.WriteFile(file, []byte(strings.TrimSuffix(strings.ReplaceAll(data, "\r\n", "\n"), "\n")), 0o600); err != nil {
		r.t.Fatal(err)
	}
	args = append([]string{"--data", "@" + file, "--to", "pegawai1@agensi-a.test", "--helo", "luar.test"}, args...)
	out, err := exec.Command("swaks", args...).CombinedOutput()
	return string(out), err
}

// doors are the ways in by SMTP.
func (r *running) doors() map[string][]string {
	a := r.account("pegawai2@agensi-a.test")
	login := []string{"--auth-user", a.Address, "--auth-password", a.Password, "--from", a.Address, "--h-From", a.Address}
	return map[string][]string{
		"mx":          {"--server", r.MX, "--from", "orang@luar.test"},
		"submission":  append([]string{"--server", r.Submission, "-tls"}, login...),
		"submissions": append([]string{"--server", r.Submissions, "-tlsc"}, login...),
	}
}

var queued = regexp.MustCompile(`(?m)^<[-~] +250 2\.0\.0 queued as [0-9A-Za-z]{8,}`)

func TestSwaksSendsByEachPort(t *testing.T) {
	need(t, "swaks")
	r := startDemo(t)
	for door, args := range r.doors() {
		out, err := r.swaks(strings.Replace(letter("Mesyuarat "+door, "Isi surat.\r\n"), "Orang Luar <orang@luar.test>", "pegawai2@agensi-a.test", 1), args...)
		if err != nil || !queued.MatchString(out) {
			t.Errorf("%s: %v\n%s", door, err, out)
		}
	}
	eventually(t, "three messages in INBOX", func() bool { return len(r.inbox("pegawai1@agensi-a.test")) == 3 })
}

func TestCurlReads(t *testing.T) {
	need(t, "swaks", "curl")
	r := startDemo(t)
	sent := letter("Bait demi bait", "Baris satu\r\n.titik\r\n  akhir\r\n")
	if out, err := r.swaks(sent, r.doors()["mx"]...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	eventually(t, "the message in INBOX", func() bool { return len(r.inbox("pegawai1@agensi-a.test")) == 1 })
	a := r.account("pegawai1@agensi-a.test")
	out, err := exec.Command("curl", "-sS", "--cacert", r.CAFile, "-u", a.Address+":"+a.Password,
		fmt.Sprintf("imaps://localhost:%d/INBOX;MAILINDEX=1", r.base+993)).Output()
	if err != nil {
		t.Fatal(err)
	}
	trace, ok := bytes.CutSuffix(out, []byte(sent))
	if !ok {
		t.Fatalf("not byte for byte below the trace fields:\n%s", out)
	}
	if !bytes.HasPrefix(trace, []byte("Return-Path:")) && !bytes.Contains(trace, []byte("Received:")) {
		t.Errorf("trace fields: %q", trace)
	}
}

const mbsyncrc = `
IMAPAccount demo
Host localhost
Port %[1]d
User %[2]s
Pass %[3]s
SSLType IMAPS
CertificateFile %[4]s

IMAPStore remote
Account demo

MaildirStore local
Path %[5]s/
Inbox %[5]s/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
`

// Two Maildirs that mbsync keeps with one account are the same in the end, whichever
// side changed.
func TestMbsyncKeepsTwoMaildirsTheSame(t *testing.T) {
	need(t, "mbsync", "swaks")
	r := startDemo(t)
	a := r.account("pegawai1@agensi-a.test")
	for i := range 5 {
		if out, err := r.swaks(letter(fmt.Sprint("Surat ", i), "Isi.\r\n"), r.doors()["mx"]...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	eventually(t, "five messages in INBOX", func() bool { return len(r.inbox(a.Address)) == 5 })
	dir := t.TempDir()
	sync := func(side string) {
		t.Helper()
		maildir := filepath.Join(dir, side)
		if err := os.MkdirAll(maildir, 0o700); err != nil {
			t.Fatal(err)
		}
		rc := filepath.Join(dir, side+".rc")
		if err := os.WriteFile(rc, fmt.Appendf(nil, mbsyncrc, r.base+993, a.Address, a.Password, r.CAFile, maildir), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("mbsync", "-c", rc, "all").CombinedOutput(); err != nil {
			t.Fatalf("mbsync %s: %v\n%s", side, err, out)
		}
	}
	sync("kiri")
	sync("kanan")
	if got := maildir(t, filepath.Join(dir, "kiri")); len(got) != 5 {
		t.Fatalf("%d messages came: %v", len(got), got)
	}
	// One side flags, deletes, adds and makes a folder; the other follows.
	changeMaildir(t, filepath.Join(dir, "kiri"))
	for range 2 {
		sync("kiri")
		sync("kanan")
	}
	left, right := maildir(t, filepath.Join(dir, "kiri")), maildir(t, filepath.Join(dir, "kanan"))
	if strings.Join(left, "\n") != strings.Join(right, "\n") {
		t.Errorf("left:\n%s\nright:\n%s", strings.Join(left, "\n"), strings.Join(right, "\n"))
	}
	if len(left) != 6 {
		t.Errorf("%d messages, want 5 - 1 + 2: %v", len(left), left)
	}
}

// changeMaildir flags a message, removes one, and adds one here and one in a new folder.
func changeMaildir(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "INBOX", "*", "*,U=*"))
	if err != nil || len(files) != 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	flagged := filepath.Join(dir, "INBOX", "cur", strings.SplitN(filepath.Base(files[0]), ":", 2)[0]+":2,FS")
	if err := os.Rename(files[0], flagged); err != nil {
		t.Fatal(err)
	}
	trashed := filepath.Join(dir, "INBOX", "cur", strings.SplitN(filepath.Base(files[1]), ":", 2)[0]+":2,T")
	if err := os.Rename(files[1], trashed); err != nil {
		t.Fatal(err)
	}
	for _, box := range []string{"INBOX", "Projek"} {
		for _, sub := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(dir, box, sub), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, box, "new", "1.baharu."+box), []byte(letter("Baharu di "+box, "Isi.\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// maildir says what a Maildir holds: folder, flags, subject.
func maildir(t *testing.T, dir string) (all []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "[cn]*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	subject := regexp.MustCompile(`(?m)^Subject: (.*?)\r?$`)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m := subject.FindSubmatch(b)
		if m == nil {
			continue
		}
		rel, err := filepath.Rel(dir, f)
		if err != nil {
			t.Fatal(err)
		}
		_, flags, _ := strings.Cut(filepath.Base(f), ":2,")
		all = append(all, strings.Split(rel, string(filepath.Separator))[0]+" "+flags+" "+string(m[1]))
	}
	sort.Strings(all)
	return all
}

func TestImaplib(t *testing.T) {
	need(t, "python3")
	r := startDemo(t)
	a := r.account("pegawai1@agensi-a.test")
	c := exec.Command("python3", "testdata/imaplib_tour.py")
	c.Env = append(os.Environ(), fmt.Sprint("PORT=", r.base+993), "LOGIN="+a.Address, "PASSWORD="+a.Password, "CA="+r.CAFile)
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "all is well") {
		t.Fatalf("%v\n%s\n%s", err, out, r.log)
	}
}
