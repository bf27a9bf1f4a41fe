package imapd_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	gosasl "github.com/emersion/go-sasl"

	"sampul/imapd"
)

// client of a library that others use: what it understands is what was meant.
func (s *suite) library(o *imapclient.Options) *imapclient.Client {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	s.ok(err)
	conn.SetDeadline(time.Now().Add(time.Minute))
	if o == nil {
		o = &imapclient.Options{}
	}
	o.TLSConfig = &tls.Config{InsecureSkipVerify: true}
	c, err := imapclient.NewStartTLS(conn, o)
	s.ok(err)
	s.t.Cleanup(func() { c.Close() })
	return c
}

func TestWithALibrarysClient(t *testing.T) {
	s := serve(t, imapd.Config{Kind: imapd.IMAP, TLS: certificate(t)})
	c := s.library(nil)
	if err := c.Authenticate(gosasl.NewPlainClient("", "pegawai1@agensi-a.test", "salah")); err == nil {
		t.Fatal("a wrong password logs in")
	}
	s.ok(c.Authenticate(gosasl.NewPlainClient("", "pegawai1@agensi-a.test", password)))
	_, err := c.Enable(goimap.CapIMAP4rev2).Wait()
	s.ok(err)

	const name = "Projek/Mesyuarat – 会议 & lain"
	s.ok(c.Create(name, nil).Wait())
	boxes, err := c.List("", "*", &goimap.ListOptions{ReturnSpecialUse: true, ReturnStatus: &goimap.StatusOptions{NumMessages: true, UIDNext: true}}).Collect()
	s.ok(err)
	i := slices.IndexFunc(boxes, func(b *goimap.ListData) bool { return b.Mailbox == name })
	if i < 0 || boxes[i].Status == nil || *boxes[i].Status.NumMessages != 0 {
		t.Fatalf("the new mailbox is not listed with its status: %+v", boxes)
	}
	if !slices.ContainsFunc(boxes, func(b *goimap.ListData) bool {
		return b.Mailbox == "Trash" && slices.Contains(b.Attrs, goimap.MailboxAttrTrash)
	}) {
		t.Fatalf("no \\Trash: %+v", boxes)
	}

	var uids []goimap.UID
	for _, subject := range []string{"satu", "dua", "tiga"} {
		m := surat(subject, "Isi surat "+subject)
		cmd := c.Append(name, int64(len(m)), &goimap.AppendOptions{Flags: []goimap.Flag{goimap.FlagFlagged}})
		_, err := io.WriteString(cmd, m)
		s.ok(err)
		s.ok(cmd.Close())
		data, err := cmd.Wait()
		s.ok(err)
		uids = append(uids, data.UID)
	}
	if !slices.Equal(uids, []goimap.UID{1, 2, 3}) {
		t.Fatalf("UIDs of APPENDUID are %v", uids)
	}
	sel, err := c.Select(name, nil).Wait()
	s.ok(err)
	if sel.NumMessages != 3 || sel.UIDNext != 4 || sel.UIDValidity == 0 {
		t.Fatalf("SELECT: %+v", sel)
	}
	found, err := c.UIDSearch(&goimap.SearchCriteria{Header: []goimap.SearchCriteriaHeaderField{{Key: "Subject", Value: "DUA"}},
		Body: []string{"surat"}}, &goimap.SearchOptions{ReturnAll: true, ReturnCount: true}).Wait()
	s.ok(err)
	if found.Count != 1 || !slices.Equal(found.AllUIDs(), []goimap.UID{2}) {
		t.Fatalf("SEARCH: %+v", found)
	}
	msgs, err := c.Fetch(goimap.UIDSetNum(2), &goimap.FetchOptions{Envelope: true, BodyStructure: &goimap.FetchItemBodyStructure{Extended: true},
		Flags: true, InternalDate: true, RFC822Size: true, UID: true, BodySection: []*goimap.FetchItemBodySection{
			{Specifier: goimap.PartSpecifierText}, {Specifier: goimap.PartSpecifierHeader, HeaderFields: []string{"Subject"}, Peek: true}}}).Collect()
	s.ok(err)
	m := msgs[0]
	if m.Envelope.Subject != "dua" || m.Envelope.From[0].Addr() != "orang@luar.test" || m.BodyStructure.MediaType() != "text/plain" ||
		!slices.Contains(m.Flags, goimap.FlagSeen) || m.UID != 2 || len(m.BodySection) != 2 {
		t.Fatalf("FETCH: %+v", m)
	}
	for _, b := range m.BodySection {
		if !bytes.Contains(b.Bytes, []byte("dua")) {
			t.Fatalf("%+v is %q", b.Section, b.Bytes)
		}
	}
	moved, err := c.Move(goimap.UIDSetNum(1, 3), "Archive").Wait()
	s.ok(err)
	if moved.UIDValidity == 0 {
		t.Fatalf("MOVE: %+v", moved)
	}
	st, err := c.Status("Archive", &goimap.StatusOptions{NumMessages: true, Size: true}).Wait()
	s.ok(err)
	if *st.NumMessages != 2 || *st.Size < 300 {
		t.Fatalf("STATUS: %+v", st)
	}
	_, err = c.Store(goimap.UIDSetNum(2), &goimap.StoreFlags{Op: goimap.StoreFlagsAdd, Flags: []goimap.Flag{goimap.FlagDeleted}}, nil).Collect()
	s.ok(err)
	gone, err := c.UIDExpunge(goimap.UIDSetNum(2)).Collect()
	s.ok(err)
	if !slices.Equal(gone, []uint32{1}) {
		t.Fatalf("UID EXPUNGE: %v", gone)
	}
	s.ok(c.Unselect().Wait())
	s.ok(c.Rename(name, "Lama", nil).Wait())
	s.ok(c.Delete("Lama").Wait())
	s.ok(c.Logout().Wait())
}

func TestLibrarysClientIdles(t *testing.T) {
	s := serve(t, imapd.Config{Kind: imapd.IMAP, TLS: certificate(t)})
	told := make(chan uint32, 10)
	c := s.library(&imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				told <- *d.NumMessages
			}
		},
	}})
	s.ok(c.Login("pegawai1@agensi-a.test", password).Wait())
	_, err := c.Select("INBOX", nil).Wait()
	s.ok(err)
	idle, err := c.Idle()
	s.ok(err)
	s.deliver("pegawai1", "INBOX", "Return-Path: <>\r\n", surat("satu", strings.Repeat("isi ", 10)))
	if n := <-told; n != 1 {
		t.Fatalf("told of %d messages", n)
	}
	s.ok(idle.Close())
	s.ok(idle.Wait())
}
