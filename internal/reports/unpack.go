package reports

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"sampul/internal/message"
)

// Read reads the reports in a message, an archive or a bare file; which it is shows in the
// content, never in a name.
func Read(b []byte) ([]*Report, error) {
	if len(b) > MaxFile {
		return nil, fmt.Errorf("%w: %d octets, %d at most", ErrLimit, len(b), MaxFile)
	}
	u := &unpacker{left: MaxExpanded}
	if kindOf(b) == plainMail {
		if err := u.mail(b); err != nil {
			return nil, err
		}
	} else if err := u.file(b, true); err != nil {
		return nil, err
	}
	if len(u.out) == 0 {
		return nil, ErrNone
	}
	return u.out, nil
}

type kind uint8

const (
	plainMail kind = iota
	gzipped
	zipped
	xmlText
	jsonText
)

// kindOf looks at the first octets.
func kindOf(b []byte) kind {
	switch t := bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\ufeff")), " \t\r\n"); {
	case bytes.HasPrefix(b, []byte("\x1f\x8b")):
		return gzipped
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		return zipped
	case bytes.HasPrefix(t, []byte("<")):
		return xmlText
	case bytes.HasPrefix(t, []byte("{")):
		return jsonText
	}
	return plainMail
}

// An unpacker has one budget for all that one file holds.
type unpacker struct {
	left  int64
	files int
	out   []*Report
}

// mail looks at each part that can be a report.
func (u *unpacker) mail(b []byte) error {
	x := message.Parse(b)
	for i := range x.Parts {
		p := &x.Parts[i]
		if len(p.Children) > 0 || p.Type == "multipart" {
			continue
		}
		part, err := u.read(message.NewTransferDecoder(p.Encoding, bytes.NewReader(b[p.BodyStart:p.End])), p.End-p.BodyStart)
		if err != nil {
			return err
		}
		if kindOf(part) == plainMail || p.Subtype == "html" {
			continue
		}
		if u.files++; u.files > MaxFiles {
			return fmt.Errorf("%w: more than %d reports in a message", ErrLimit, MaxFiles)
		}
		err = u.file(part, true)
		// What stands around a report: words that begin like one, pictures, other archives.
		if errors.Is(err, ErrNone) || errors.Is(err, ErrBroken) && p.Subtype == "plain" {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// file reads one report; archives may stand outside, not inside each other.
func (u *unpacker) file(b []byte, outside bool) error {
	var r *Report
	var err error
	switch k := kindOf(b); {
	case k == gzipped && outside:
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return broken(err)
		}
		b, err = u.read(z, int64(len(b)))
		if err != nil {
			return err
		}
		return u.file(b, false)
	case k == zipped && outside:
		return u.zip(b)
	case k == xmlText:
		r, err = parseDMARC(b)
	case k == jsonText:
		r, err = parseTLS(b)
	default:
		return ErrNone
	}
	if err != nil {
		return err
	}
	u.out = append(u.out, r)
	return nil
}

func (u *unpacker) zip(b []byte) error {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return broken(err)
	}
	for _, f := range z.File {
		if f.FileInfo().IsDir() || strings.HasPrefix(f.Name, "__MACOSX/") {
			continue
		}
		if u.files++; u.files > MaxFiles {
			return fmt.Errorf("%w: more than %d files in an archive", ErrLimit, MaxFiles)
		}
		r, err := f.Open()
		if err != nil {
			return broken(err)
		}
		inner, err := u.read(r, int64(f.CompressedSize64))
		r.Close()
		if err != nil {
			return err
		}
		if err := u.file(inner, false); err != nil {
			return err
		}
	}
	return nil
}

// read unpacks, within the budget and a ratio to what was packed.
func (u *unpacker) read(r io.Reader, packed int64) ([]byte, error) {
	limit := min(u.left, max(packed*MaxRatio, 1<<20))
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, broken(err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: %d octets unpack to more than %d", ErrLimit, packed, limit)
	}
	u.left -= int64(len(b))
	return b, nil
}
