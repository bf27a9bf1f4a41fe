package message

import "bytes"

// FilterHeader adds the fields of header whose names are listed, or those that are
// not, as they stand, and the blank line (IMAP HEADER.FIELDS and HEADER.FIELDS.NOT,
// RFC 9051 section 6.4.5.1).
func FilterHeader(dst, header []byte, names []string, not bool) []byte {
	take := false
	for len(header) > 0 {
		end := bytes.IndexByte(header, '\n') + 1
		if end == 0 {
			end = len(header)
		}
		line := header[:end]
		header = header[end:]
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		if line[0] != ' ' && line[0] != '\t' {
			take = listed(line, names) != not
		}
		if take {
			dst = append(dst, line...)
			if line[len(line)-1] != '\n' {
				dst = append(dst, "\r\n"...)
			}
		}
	}
	return append(dst, "\r\n"...)
}

// listed says whether the line begins with one of names and a colon. A line that is
// no field is in no list.
func listed(line []byte, names []string) bool {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return false
	}
	name := bytes.TrimRight(line[:colon], " \t")
	for _, n := range names {
		if len(n) == len(name) && foldEqual(name, n) {
			return true
		}
	}
	return false
}

func foldEqual(b []byte, s string) bool {
	for i, c := range b {
		d := s[i]
		if c == d {
			continue
		}
		if c|0x20 != d|0x20 || c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return true
}
