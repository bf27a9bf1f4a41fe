package smtpout

import (
	"bytes"
	"io"
)

// A dotWriter sends a message as DATA has it: lines that begin with a dot get another one
// (RFC 5321 section 4.5.2), and every line ends with CRLF.
//
// A bare LF, and a run of CRs with or without an LF after it, become one CRLF. So no octets
// of a message can be read as the end of it by a server that takes other line ends for
// one: the "." after them is on a line of its own here too, and was doubled.
type dotWriter struct {
	w     io.Writer
	begun bool // the present line has octets
	cr    bool // CRs came, and not yet what follows
	err   error
}

var crlf, dot = []byte("\r\n"), []byte(".")

func (d *dotWriter) put(p []byte) {
	if d.err == nil && len(p) > 0 {
		_, d.err = d.w.Write(p)
	}
}

func (d *dotWriter) endLine() {
	d.put(crlf)
	d.begun, d.cr = false, false
}

func (d *dotWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && d.err == nil {
		if d.cr {
			switch p[0] {
			case '\n':
				d.endLine()
				p = p[1:]
				continue
			case '\r':
				p = p[1:]
				continue
			}
			d.endLine()
		}
		switch p[0] {
		case '\r':
			d.cr = true
			p = p[1:]
			continue
		case '\n':
			d.endLine()
			p = p[1:]
			continue
		}
		if !d.begun && p[0] == '.' {
			d.put(dot)
		}
		d.begun = true
		// The usual line is written whole, with its end.
		lf := bytes.IndexByte(p, '\n')
		text := p
		if lf >= 0 {
			text = p[:lf]
		}
		cr := bytes.IndexByte(text, '\r')
		switch {
		case lf >= 0 && cr == lf-1:
			d.put(p[:lf+1])
			d.begun = false
			p = p[lf+1:]
		case cr >= 0:
			d.put(p[:cr])
			p = p[cr:]
		default:
			d.put(text)
			p = p[len(text):]
		}
	}
	return n - len(p), d.err
}

// end closes the last line and the message.
func (d *dotWriter) end() error {
	if d.begun || d.cr {
		d.endLine()
	}
	d.put([]byte(".\r\n"))
	return d.err
}
