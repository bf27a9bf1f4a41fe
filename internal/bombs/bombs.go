// Package bombs makes files that are built to take all time or memory of whoever opens
// them: a few octets that expand to very many, containers in each other without end,
// headers that promise what is not there. They are for tests. None is large itself, and
// each is the same every time.
package bombs

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
)

// A Bomb is one such file.
type Bomb struct {
	Name string // of the file, such as "flat.zip"
	Make func() []byte

	// Raw says that what Make gives is a whole message, and not a file to be sent in one.
	Raw bool
}

// Mail is the bomb as a message with CRLF line ends, from one address to another.
func (b Bomb) Mail(from, to string) []byte {
	if b.Raw {
		return b.Make()
	}
	var m bytes.Buffer
	fmt.Fprintf(&m, "From: <%s>\r\nTo: <%s>\r\nSubject: bahan %s\r\nDate: Mon, 02 Jun 2025 10:00:00 +0800\r\nMessage-ID: <%s@luar.test>\r\n"+
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"sempadan\"\r\n\r\n--sempadan\r\nContent-Type: text/plain\r\n\r\nSila lihat lampiran.\r\n"+
		"--sempadan\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"%s\"\r\nContent-Transfer-Encoding: base64\r\n\r\n",
		from, to, b.Name, b.Name, b.Name)
	text := base64.StdEncoding.EncodeToString(b.Make())
	for len(text) > 0 {
		n := min(76, len(text))
		m.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
	m.WriteString("--sempadan--\r\n")
	return m.Bytes()
}

// Write puts each bomb as a message into a directory, one .eml file each, and gives their
// paths.
func Write(dir, from, to string) ([]string, error) {
	var paths []string
	for _, b := range All() {
		p := filepath.Join(dir, b.Name+".eml")
		if err := os.WriteFile(p, b.Mail(from, to), 0o600); err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	return paths, nil
}

// All are the bombs that there are.
func All() []Bomb {
	var all []Bomb
	for _, more := range [][]Bomb{zips(), streams(), headers(), texts(), documents(), messages()} {
		all = append(all, more...)
	}
	return all
}
