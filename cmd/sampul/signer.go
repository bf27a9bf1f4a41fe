package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"sampul/internal/dkim"
	"sampul/internal/message"
	"sampul/mta/authres"
	"sampul/store"
)

// A signer writes what stands before a message as it goes out: DKIM signatures for mail
// of our own people, applications and the suite itself, an ARC set for mail of others that
// is passed on. A domain without active keys signs nothing.
type signer struct {
	keys  func(domain string) []store.DKIMKey
	host  string
	clock func() time.Time
	log   *slog.Logger

	mu     sync.Mutex
	parsed map[string]dkim.Key // by domain, selector and private key
}

// maxPeek is how much of a message is read to find its From: more than a header has.
const maxPeek = 1 << 20

// Sign reads the message to its end.
func (s *signer) Sign(_ context.Context, e *store.Envelope, senderAgency string, msg io.Reader) ([]byte, error) {
	if e.Sender == 0 && !ownNotice(e) {
		return s.seal(e, msg)
	}
	head, err := peekHeader(msg)
	if err != nil {
		return nil, err
	}
	x := message.Parse(head)
	for _, a := range x.Parts[0].Addresses("From") {
		_, domain, ok := strings.Cut(a.Addr(), "@")
		if !ok {
			continue
		}
		keys, err := s.active(strings.ToLower(domain))
		if err != nil || len(keys) == 0 {
			return nil, err
		}
		return dkim.Sign(io.MultiReader(bytes.NewReader(head), msg), keys, dkim.SignOptions{Now: s.clock()})
	}
	return nil, nil
}

// ownNotice recognises what the suite itself wrote: it came from nobody.
func ownNotice(e *store.Envelope) bool {
	return e.From == "" && bytes.HasPrefix(e.Prefix, []byte("Return-Path: <>\r\nReceived: by "))
}

// seal vouches for what we found when the message came in, in the name of the domain that
// passes it on.
func (s *signer) seal(e *store.Envelope, msg io.Reader) ([]byte, error) {
	for i := range e.Recipients {
		for _, address := range []string{e.Recipients[i].Via, e.Recipients[i].Path} {
			_, domain, _ := strings.Cut(address, "@")
			keys, err := s.active(strings.ToLower(domain))
			if err != nil {
				return nil, err
			}
			for _, k := range keys {
				if k.Algorithm() != dkim.RSA { // what RFC 8617 verifiers know
					continue
				}
				set, err := authres.Seal(msg, authres.SealOptions{Key: k, Hostname: s.host, Prefix: e.Prefix, Now: s.clock()})
				if errors.Is(err, authres.ErrUnchecked) {
					s.log.Info("passed on without a seal", "id", e.QueueID, "why", err)
					return nil, nil
				}
				return set, err
			}
		}
	}
	return nil, nil
}

// active are the keys that sign for a domain, ready to be used.
func (s *signer) active(domain string) ([]dkim.Key, error) {
	if domain == "" {
		return nil, nil
	}
	var out []dkim.Key
	for _, k := range s.keys(domain) {
		id := k.Domain + "/" + k.Selector + "/" + string(k.Private)
		s.mu.Lock()
		key, ok := s.parsed[id]
		s.mu.Unlock()
		if !ok {
			var err error
			if key, err = dkim.NewKey(k.Domain, k.Selector, k.Private); err != nil {
				return nil, err
			}
			s.mu.Lock()
			if s.parsed == nil || len(s.parsed) > 4096 {
				s.parsed = map[string]dkim.Key{}
			}
			s.parsed[id] = key
			s.mu.Unlock()
		}
		out = append(out, key)
	}
	return out, nil
}

// peekHeader reads up to the end of the header, or the beginning of a message that has none.
func peekHeader(r io.Reader) ([]byte, error) {
	head := make([]byte, 0, 8<<10)
	for len(head) < maxPeek {
		if len(head) == cap(head) {
			head = append(head, 0)[:len(head)]
		}
		n, err := r.Read(head[len(head):cap(head)])
		from := max(0, len(head)-3)
		head = head[:len(head)+n]
		if bytes.Contains(head[from:], []byte("\r\n\r\n")) || errors.Is(err, io.EOF) {
			return head, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return head, nil
}
