package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sampul/internal/address"
	"sampul/internal/config"
	"sampul/internal/message"
	"sampul/policy"
	"sampul/policy/inspect"
)

// A localEngine judges files in this process, as the suite that is named would: with its
// settings, rules and domains. Without one it has what is built in.
type localEngine struct {
	*policy.Engine
	look    *inspect.Inspector
	domains map[string]string // domain: agency
}

func (e *localEngine) close() error { return e.look.Close() }

// localEngine makes one; the target may be none. Without OCR it judges as a machine that has
// no tesseract.
func (t *target) localEngine(c *cobra.Command, noOCR bool) (*localEngine, error) {
	var v policyView
	if t.dir != "" || t.config != "" {
		if err := t.do(c.Context(), "policy.get", none{}, func(raw json.RawMessage) error { return json.Unmarshal(raw, &v) }); err != nil {
			return nil, err
		}
	}
	log := newLog(c.ErrOrStderr(), config.Log{Level: "error"})
	with := inspectOptions("", log)
	if !noOCR {
		with.Recognise = recogniser(log)
	}
	e := &localEngine{domains: v.Domains, look: inspect.New(with)}
	o := policy.Options{Inspector: e.look, GovDomains: v.GovDomains, Guidance: func(string) string { return v.Guidance }, Log: log}
	if v.Policy != nil {
		o.Policies = policy.Fixed(v.Policy)
	}
	e.Engine = policy.New(o)
	return e, nil
}

// checkDirection refuses what is none.
func checkDirection(d string, optional bool) error {
	if d == "" && optional || slices.Contains(policy.Directions, policy.Direction(d)) {
		return nil
	}
	return usagef("--direction: one of %v, not %q", policy.Directions, d)
}

// A messageFile is a message on disk.
type messageFile struct {
	*os.File
	size int64
}

func openMessage(name string) (*messageFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &messageFile{f, fi.Size()}, nil
}

// file opens a message and says whose it is: by a direction that was given, or else by its
// header and the domains of the suite.
func (e *localEngine) file(name, agency string, d policy.Direction, do func(policy.Check, *messageFile) error) error {
	f, err := openMessage(name)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, min(f.size, int64(message.DefaultLimits.HeaderBytes)))
	if _, err := f.ReadAt(head, 0); err != nil {
		return err
	}
	top := message.Parse(head).Parts[0]
	k := policy.Check{Direction: d, Agency: agency}
	if from := addresses(top.Get("From")); len(from) > 0 {
		k.Sender = from[0]
	}
	for _, field := range []string{"To", "Cc"} {
		for _, a := range addresses(top.Get(field)) {
			k.Recipients = append(k.Recipients, policy.Recipient{Address: a, Agency: e.domains[address.DomainOf(a)]})
		}
	}
	if d == "" {
		k.Agency = e.domains[address.DomainOf(k.Sender)]
		if len(k.Recipients) == 0 {
			k.Recipients = []policy.Recipient{{Agency: agency}}
		}
	}
	return do(k, f)
}

// addresses are those of a field of a header; none where it cannot be read.
func addresses(field string) (out []string) {
	all, err := (&mail.AddressParser{WordDecoder: nil}).ParseList(field)
	if err != nil {
		return nil
	}
	for _, a := range all {
		out = append(out, strings.ToLower(a.Address))
	}
	return out
}

// messageFiles are the files that are named, and those in directories that are.
func messageFiles(names []string) (out []string, err error) {
	for _, name := range names {
		fi, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if !fi.IsDir() {
			out = append(out, name)
			continue
		}
		err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				out = append(out, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no file in %s: %w", strings.Join(names, ", "), fs.ErrNotExist)
	}
	return out, nil
}

func (e *localEngine) check(ctx context.Context, name, agency string, d policy.Direction) (v *policy.Verdict, err error) {
	f, err := openMessage(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v, err = e.CheckFile(ctx, d, agency, f, f.size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}
