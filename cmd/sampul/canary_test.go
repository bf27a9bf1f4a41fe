package main

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sampul/internal/carriers"
	"sampul/internal/peers"
	"sampul/policy/ocr"
)

// wordsOf are the forms in which a word may lie on a disk.
func wordsOf(word string) [][]byte {
	wide := make([]byte, 0, 2*len(word))
	for i := range len(word) {
		wide = append(wide, word[i], 0)
	}
	all := [][]byte{[]byte(word), wide, wide[:len(wide)-1]}
	for shift := range 3 { // base64, wherever the word begins in a group of three
		text := base64.StdEncoding.EncodeToString([]byte("xx"[:shift] + word))
		from, to := []int{0, 2, 3}[shift], len(text)/4*4-4
		all = append(all, []byte(text[from:to]))
	}
	return all
}

// lies says in which files below dir a word is found.
func lies(t *testing.T, word string, dirs ...string) (in []string) {
	t.Helper()
	read := 0
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			read += len(b)
			for _, w := range wordsOf(word) {
				if bytes.Contains(b, w) {
					in = append(in, path)
					break
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read == 0 {
		t.Fatal("nothing was searched")
	}
	return in
}

// What was accepted lies in the data directory, where nothing is sealed; what was refused
// lies nowhere: not there, not among temporary files, not with the virus scanner, not in
// the log; neither while the suite runs nor when it was killed.
func TestRefusedMailIsNowhere(t *testing.T) {
	clamd := peers.Clamd(t, 0)
	dir, tmp := t.TempDir(), t.TempDir()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	r := startBinary(t, path, []string{"TMPDIR=" + tmp}, "--plain-store", "--dir", filepath.Join(dir, "suite"),
		"--filters", filterFile(t, filterSection("virus", "clamd", clamd.Unix, `"in", "out", "relay"`, "tempfail")))
	const accepted = "KENARIA4W8T1"
	to := []string{"pegawai1@agensi-a.test"}
	if err := r.offer("orang@luar.test", to, letter("Biasa", "Perkara "+accepted+" dibincangkan.\r\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the accepted letter", func() bool { return len(r.inbox(to[0])) == 1 })
	if in := lies(t, accepted, dir); len(in) == 0 {
		t.Fatal("the accepted letter is not found on the disk: a search for others would mean nothing")
	}
	all, err := carriers.All()
	if err != nil {
		t.Fatal(err)
	}
	padding := strings.Repeat("Baris yang panjang sahaja, supaya surat ini tidak muat dalam memori.\r\n", 8000)
	big := carriers.Carrier{Name: "panjang.txt", Content: []byte(carriers.Mark + "\r\n" + carriers.Canary + "\r\n" + padding + carriers.Mark + "\r\n")}
	_, none := ocr.Find()
	reads := none == nil
	refused := 0
	for _, c := range append(all, big) {
		if c.OCR && !reads {
			continue
		}
		text := c.Attached("pegawai2@agensi-a.test", to[0], "Bahan")
		for door, err := range map[string]error{
			"mx": r.offer("orang@luar.test", to, text), "submission": r.submit("pegawai2@agensi-a.test", to, text), "append": r.appendMessage(to[0], text),
		} {
			refused++
			if err == nil || !strings.Contains(err.Error(), "Disekat: ") {
				t.Errorf("%s by %s: %v", c.Name, door, err)
			}
		}
	}
	if refused < 90 {
		t.Fatalf("only %d messages were offered", refused)
	}
	for _, state := range []string{"running", "killed"} {
		if in := lies(t, carriers.Canary, append(clamd.Dirs, dir, tmp)...); len(in) > 0 {
			t.Errorf("%s: what was refused lies in %v", state, in)
		}
		r.kill()
	}
	if strings.Contains(r.log.String(), carriers.Canary) {
		t.Error("what was refused stands in the log")
	}
}
