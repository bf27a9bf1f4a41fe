package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"sampul/internal/address"
	"sampul/store"
)

// suppressionColumns are those of an export. An import reads the first seven, and passes
// over who and by whom: it says itself for whom, and is done by who runs it.
var suppressionColumns = []string{"address", "kind", "reason", "until", "code", "status", "time", "app", "agency", "by"}

const (
	maxImport    = 1_000_000 // lines of a file
	importErrors = 10        // told of one file
)

// spreadsheet are first characters by which a spreadsheet takes a cell for a formula.
const spreadsheet = "=+-@\t\r"

// guarded is a cell that a spreadsheet does not run; unguarded takes that back.
func guarded(cell string) string {
	if cell != "" && strings.IndexByte(spreadsheet+"'", cell[0]) >= 0 {
		return "'" + cell
	}
	return cell
}

func unguarded(cell string) string {
	if len(cell) > 1 && cell[0] == '\'' && strings.IndexByte(spreadsheet+"'", cell[1]) >= 0 {
		return cell[1:]
	}
	return cell
}

type suppressionWriter struct {
	w    *csv.Writer
	head bool
}

func newSuppressionWriter(out io.Writer) *suppressionWriter {
	return &suppressionWriter{w: csv.NewWriter(out)}
}

func (w *suppressionWriter) write(s *store.Suppression) error {
	if err := w.header(); err != nil {
		return err
	}
	code, until := "", ""
	if s.Code != 0 {
		code = strconv.Itoa(s.Code)
	}
	if !s.Until.IsZero() {
		until = s.Until.UTC().Format(time.RFC3339)
	}
	row := []string{s.Address, s.Kind, s.Reason, until, code, s.Status, s.Time.UTC().Format(time.RFC3339), s.Sender, s.Agency, s.By}
	for i := range row {
		row[i] = guarded(row[i])
	}
	return w.w.Write(row)
}

func (w *suppressionWriter) header() error {
	if w.head {
		return nil
	}
	w.head = true
	return w.w.Write(suppressionColumns)
}

func (w *suppressionWriter) close() error {
	err := w.header()
	w.w.Flush()
	return errors.Join(err, w.w.Error())
}

// readSuppressions reads a file, and says in which line what is wrong. What a line does not
// say is as in like. What has ended by now is left out: it suppresses nobody.
func readSuppressions(in io.Reader, like store.Suppression, now time.Time) ([]store.Suppression, error) {
	b := bufio.NewReader(in)
	if head, _ := b.Peek(3); string(head) == "\ufeff" {
		b.Discard(3)
	}
	r := csv.NewReader(b)
	r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = -1, true, true
	columns := suppressionColumns[:4]
	var all []store.Suppression
	var bad []error
	for first := true; len(bad) < importErrors; first = false {
		rec, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, errors.Join(append(bad, err)...) // it names the line
		}
		line, _ := r.FieldPos(0)
		if first && !strings.Contains(strings.Join(rec, ""), "@") {
			if columns, err = columnsOf(rec); err != nil {
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
			continue
		}
		s, err := suppressionOf(rec, columns, like)
		switch {
		case err != nil:
			bad = append(bad, fmt.Errorf("line %d: %w", line, err))
		case len(all) == maxImport:
			return nil, fmt.Errorf("line %d: a file holds %d recipients at most", line, maxImport)
		case s.Until.IsZero() || s.Until.After(now):
			all = append(all, s)
		}
	}
	return all, errors.Join(bad...)
}

// columnsOf reads a first line with names.
func columnsOf(rec []string) ([]string, error) {
	var out []string
	for _, name := range rec {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(suppressionColumns, name) {
			return nil, fmt.Errorf("no column is called %q; the names are %s", name, strings.Join(suppressionColumns, ", "))
		}
		if slices.Contains(out, name) {
			return nil, fmt.Errorf("two columns are called %s", name)
		}
		out = append(out, name)
	}
	if !slices.Contains(out, "address") {
		return nil, errors.New("a column address is needed")
	}
	return out, nil
}

// suppressionOf reads one line.
func suppressionOf(rec, columns []string, like store.Suppression) (s store.Suppression, err error) {
	if len(rec) > len(columns) {
		return s, fmt.Errorf("%d fields, and there are %d columns", len(rec), len(columns))
	}
	s = like
	for i, cell := range rec {
		cell = unguarded(strings.TrimSpace(cell))
		if cell == "" {
			continue
		}
		switch columns[i] {
		case "address":
			s.Address = strings.Clone(cell)
		case "kind":
			s.Kind = strings.ToLower(cell)
			err = checkKind(s.Kind)
		case "reason":
			s.Reason = strings.Clone(cell)
		case "until":
			s.Until, err = timeOrDay(cell)
		case "code":
			if s.Code, err = strconv.Atoi(cell); err != nil || s.Code < 200 || s.Code > 599 {
				err = fmt.Errorf("code: an SMTP reply, not %q", cell)
			}
		case "status":
			s.Status = strings.Clone(cell)
		case "time":
			s.Time, err = timeOrDay(cell)
		}
		if err != nil {
			return s, err
		}
	}
	if _, _, err := address.Split(s.Address); err != nil {
		return s, fmt.Errorf("an address is needed, not %q", s.Address)
	}
	if len(s.Reason) > store.MaxSuppressReason || strings.ContainsFunc(s.Reason, unicode.IsControl) {
		return s, fmt.Errorf("a reason is one line of at most %d octets", store.MaxSuppressReason)
	}
	if len(s.Status) > 20 {
		return s, fmt.Errorf("status: such as 5.1.1, not %q", s.Status)
	}
	return s, nil
}
