package main

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"sampul/store"
)

// inbox is the raw messages of an account's INBOX.
func (r *running) inbox(address string) []string { return r.messages(address, "INBOX") }

func (r *running) messages(address, box string) (all []string) {
	r.t.Helper()
	c := r.imap(address)
	defer c.Close()
	if _, err := c.Select(box, &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		r.t.Fatal(err)
	}
	section := &imap.FetchItemBodySection{Peek: true}
	set := imap.SeqSet{}
	set.AddRange(1, 0)
	got, err := c.Fetch(set, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil && !strings.Contains(err.Error(), "BAD") {
		r.t.Fatal(err)
	}
	for _, m := range got {
		all = append(all, string(m.FindBodySection(section)))
	}
	return all
}

var incidentNumber = regexp.MustCompile(`I-[0-9A-Z]{4}-[0-9A-Z]{3}`)

// incidents are their numbers, by `incident list`.
func (r *running) incidents() map[string]store.Incident {
	r.t.Helper()
	out, bad, exit := sampul(r.t, "", "incident", "list", "--json", "--dir", r.DataDir)
	if exit != 0 {
		r.t.Fatalf("incident list: exit %d: %s", exit, bad)
	}
	all := map[string]store.Incident{}
	for line := range strings.Lines(out) {
		var in store.Incident
		if err := json.Unmarshal([]byte(line), &in); err != nil {
			r.t.Fatal(err)
		}
		all[in.ID] = in
	}
	return all
}

func (r *running) appendMessage(address, text string) error {
	r.t.Helper()
	c := r.imap(address)
	defer c.Close()
	cmd := c.Append("Drafts", int64(len(text)), nil)
	if _, err := io.WriteString(cmd, text); err != nil {
		return err
	}
	if err := cmd.Close(); err != nil {
		return err
	}
	_, err := cmd.Wait()
	return err
}

// A mark is refused at every door, with a number that a person can read out, and what
// was refused is nowhere.
func TestMarkedMailIsRefusedAtEveryDoor(t *testing.T) {
	need(t, "swaks")
	r := startDemo(t)
	marked := map[string]string{
		"subject": letter("[RAHSIA] Mesyuarat", "Isi surat.\r\n"),
		"docx in zip": withAttachment("Bahan mesyuarat", "bahan.zip",
			zipOf(t, map[string]string{"kertas.docx": string(docx(t, "RAHSIA"))})),
	}
	want := 0
	for what, text := range marked {
		for door, args := range r.doors() {
			sent := text
			if door != "mx" {
				sent = strings.Replace(text, "Orang Luar <orang@luar.test>", "pegawai2@agensi-a.test", 1)
			}
			out, err := r.swaks(sent, args...)
			number := incidentNumber.FindString(out)
			if err == nil || !strings.Contains(out, "550 5.7.1 ") || number == "" {
				t.Errorf("%s by %s: %v\n%s", what, door, err, out)
				continue
			}
			want++
			in, ok := r.incidents()[number]
			if !ok || in.Class != "RAHSIA" || in.Action != "reject" || in.Listener != door || len(in.Evidence) == 0 {
				t.Errorf("%s by %s: incident %s: %+v", what, door, number, in)
			}
		}
		err := r.appendMessage("pegawai1@agensi-a.test", text)
		if err == nil || incidentNumber.FindString(err.Error()) == "" {
			t.Errorf("%s by APPEND: %v", what, err)
			continue
		}
		want++
		if in := r.incidents()[incidentNumber.FindString(err.Error())]; in.Listener != "imap" && in.Listener != "imaps" {
			t.Errorf("%s by APPEND: incident %+v", what, in)
		}
	}
	if got := len(r.incidents()); got != want {
		t.Errorf("%d incidents for %d refusals", got, want)
	}
	for _, in := range r.incidents() {
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("Mesyuarat")) || bytes.Contains(b, []byte("Minit")) {
			t.Errorf("an incident keeps content: %s", b)
		}
	}
	for _, got := range r.inbox("pegawai1@agensi-a.test") {
		if !strings.Contains(got, "Auto-Submitted: auto-generated") {
			t.Errorf("a refused message is in INBOX: %s", got)
		}
	}
	if got := r.messages("pegawai1@agensi-a.test", "Drafts"); len(got) != 0 {
		t.Errorf("%d refused messages are in Drafts", len(got))
	}
}

// Whoever writes about the secret of success never learns that there is a gate.
func TestMentionsPass(t *testing.T) {
	need(t, "swaks")
	r := startDemo(t)
	text := letter("Rahsia kejayaan", newsletter)
	if out, err := r.swaks(text, r.doors()["mx"]...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	eventually(t, "the newsletter in INBOX", func() bool { return len(r.inbox("pegawai1@agensi-a.test")) == 1 })
	if got := r.inbox("pegawai1@agensi-a.test")[0]; !strings.HasSuffix(got, text) {
		t.Errorf("not byte for byte:\n%s", got)
	}
	if err := r.appendMessage("pegawai1@agensi-a.test", text); err != nil {
		t.Error(err)
	}
	if n := len(r.incidents()); n != 0 {
		t.Errorf("%d incidents", n)
	}
}

func TestGoImapClient(t *testing.T) {
	r := startDemo(t)
	a := r.account("pegawai1@agensi-a.test")
	c, err := imapclient.DialStartTLS(r.IMAP, &imapclient.Options{TLSConfig: r.tls()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login(a.Address, a.Password).Wait(); err != nil {
		t.Fatal(err)
	}
	text := letter("Draf", "Isi.\r\n")
	if err := r.appendMessage(a.Address, text); err != nil {
		t.Fatal(err)
	}
	sel, err := c.Select("Drafts", nil).Wait()
	if err != nil || sel.NumMessages != 1 {
		t.Fatalf("%+v, %v", sel, err)
	}
	got, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{Envelope: true, UID: true, RFC822Size: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true}}).Collect()
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	if got[0].Envelope.Subject != "Draf" || got[0].RFC822Size != int64(len(text)) || got[0].BodyStructure.MediaType() != "text/plain" {
		t.Errorf("%+v", got[0])
	}
	moved, err := c.Move(imap.SeqSetNum(1), "Archive").Wait()
	if err != nil || len(moved.DestUIDs.(imap.UIDSet)) != 1 {
		t.Errorf("move: %+v, %v", moved, err)
	}
	found, err := c.Search(&imap.SearchCriteria{}, nil).Wait()
	if err != nil || len(found.AllSeqNums()) != 0 {
		t.Errorf("after the move: %+v, %v", found, err)
	}
}
