package wire

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

func is(set string) (t [256]bool) {
	for i := range 128 {
		t[i] = i > 0x20 && i < 0x7f && !strings.ContainsRune(set, rune(i))
	}
	return t
}

var (
	atomChars    = is("(){%*\"\\]")
	astringChars = is("(){%*\"\\")
	tagChars     = is("(){%*\"\\+")
	listChars    = is("(){\"\\")
)

// Byte takes the octet c.
func (r *Reader) Byte(c byte) error {
	got, err := r.peek()
	if err != nil {
		return err
	}
	if got != c {
		return SyntaxError(fmt.Sprintf("%q is expected, not %q", c, got))
	}
	_, err = r.next()
	return err
}

// SP takes one space.
func (r *Reader) SP() error { return r.Byte(' ') }

// CRLF takes the end of the line. A bare LF does as well, as it does nearly everywhere.
func (r *Reader) CRLF() error {
	c, err := r.next()
	if err != nil {
		return err
	}
	if c == '\r' {
		if c, err = r.next(); err != nil {
			return err
		}
	}
	if c != '\n' {
		return SyntaxError("the end of the command is expected")
	}
	return nil
}

// Next is the next octet, which stays.
func (r *Reader) Next() (byte, error) { return r.peek() }

// More says whether a space comes, and takes it.
func (r *Reader) More() (bool, error) {
	c, err := r.peek()
	if err != nil || c != ' ' {
		return false, err
	}
	_, err = r.next()
	return true, err
}

func (r *Reader) run(chars *[256]bool, what string) (string, error) {
	var small [64]byte
	b := small[:0]
	for {
		c, err := r.peek()
		if err != nil {
			return "", err
		}
		if !chars[c] {
			break
		}
		if c, err = r.next(); err != nil {
			return "", err
		}
		b = append(b, c)
	}
	if len(b) == 0 {
		return "", SyntaxError(what + " is expected")
	}
	return string(b), nil
}

// Tag reads a command's tag.
func (r *Reader) Tag() (string, error) { return r.run(&tagChars, "a tag") }

// Atom reads an atom.
func (r *Reader) Atom() (string, error) { return r.run(&atomChars, "an atom") }

// Word reads an atom in capitals: the name of a command, an item, an option.
func (r *Reader) Word() (string, error) {
	s, err := r.Atom()
	return strings.ToUpper(s), err
}

// Letters reads letters and digits in capitals: names that [ or < may follow.
func (r *Reader) Letters() (string, error) {
	s, err := r.run(&letterChars, "a word")
	return strings.ToUpper(s), err
}

var letterChars = func() (t [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-" {
		t[c] = true
	}
	return t
}()

// AString reads an astring: atom, quoted or literal.
func (r *Reader) AString() (string, error) {
	c, err := r.peek()
	if err != nil {
		return "", err
	}
	if c == '"' || c == '{' {
		return r.String()
	}
	return r.run(&astringChars, "a string")
}

// String reads a quoted string or a literal.
func (r *Reader) String() (string, error) {
	c, err := r.peek()
	if err != nil {
		return "", err
	}
	switch c {
	case '"':
		return r.quoted()
	case '{':
		b, err := r.literal()
		if strings.IndexByte(string(b), 0) >= 0 {
			return "", SyntaxError("a string holds NUL")
		}
		return string(b), err
	}
	return "", SyntaxError("a string is expected")
}

// NString reads a string or NIL.
func (r *Reader) NString() (s string, isNil bool, err error) {
	c, err := r.peek()
	if err != nil {
		return "", false, err
	}
	if c == '"' || c == '{' {
		s, err = r.String()
		return s, false, err
	}
	w, err := r.Word()
	if err == nil && w != "NIL" {
		err = SyntaxError("a string or NIL is expected")
	}
	return "", true, err
}

func (r *Reader) quoted() (string, error) {
	if _, err := r.next(); err != nil {
		return "", err
	}
	var small [128]byte
	b := small[:0]
	for {
		c, err := r.peek()
		if err != nil {
			return "", err
		}
		if c == '\r' || c == '\n' || c == 0 {
			return "", SyntaxError("a quoted string does not end")
		}
		if c, err = r.next(); err != nil {
			return "", err
		}
		switch c {
		case '"':
			return string(b), nil
		case '\\':
			if c, err = r.peek(); err != nil {
				return "", err
			}
			if c != '"' && c != '\\' {
				return "", SyntaxError(`in a quoted string \ stands before " or \ alone`)
			}
			if c, err = r.next(); err != nil {
				return "", err
			}
		}
		b = append(b, c)
	}
}

// number reads digits.
func (r *Reader) number(max uint64) (int64, error) {
	n, digits := uint64(0), 0
	for {
		c, err := r.peek()
		if err != nil {
			return 0, err
		}
		if c < '0' || c > '9' {
			break
		}
		if c, err = r.next(); err != nil {
			return 0, err
		}
		if digits++; digits > 19 {
			return 0, SyntaxError("a number is too long")
		}
		n = n*10 + uint64(c-'0')
	}
	if digits == 0 {
		return 0, SyntaxError("a number is expected")
	}
	if n > max {
		return 0, SyntaxError("a number is too large")
	}
	return int64(n), nil
}

// Number reads a 32-bit number.
func (r *Reader) Number() (uint32, error) {
	n, err := r.number(1<<32 - 1)
	return uint32(n), err
}

// Number64 reads a 63-bit number.
func (r *Reader) Number64() (int64, error) { return r.number(1<<63 - 1) }

// List reads ( item SP item ... ), also empty.
func (r *Reader) List(item func() error) error {
	if err := r.Byte('('); err != nil {
		return err
	}
	for n := 0; ; n++ {
		c, err := r.peek()
		if err != nil {
			return err
		}
		if c == ')' {
			_, err := r.next()
			return err
		}
		if n > maxItems {
			return LimitError("a list is too long")
		}
		if n > 0 {
			if err := r.SP(); err != nil {
				return err
			}
		}
		if err := item(); err != nil {
			return err
		}
	}
}

// Flags reads a list of flags, in parentheses or, for STORE, without.
func (r *Reader) Flags() ([]string, error) {
	var flags []string
	one := func() error {
		f, err := r.Flag()
		flags = append(flags, f)
		return err
	}
	c, err := r.peek()
	if err != nil {
		return nil, err
	}
	if c == '(' {
		err := r.List(one)
		return flags, err
	}
	for {
		if err := one(); err != nil {
			return nil, err
		}
		if more, err := r.More(); err != nil || !more {
			return flags, err
		}
	}
}

// Flag reads a flag or keyword.
func (r *Reader) Flag() (string, error) {
	c, err := r.peek()
	if err != nil {
		return "", err
	}
	if c != '\\' {
		return r.Atom()
	}
	if _, err := r.next(); err != nil {
		return "", err
	}
	name, err := r.Atom()
	return `\` + name, err
}

// Mailbox reads a mailbox name, as UTF-8. INBOX is in capitals.
func (r *Reader) Mailbox() (string, error) {
	s, err := r.AString()
	if err != nil {
		return "", err
	}
	return r.mailbox(s)
}

func (r *Reader) mailbox(s string) (string, error) {
	if strings.EqualFold(s, "INBOX") {
		return "INBOX", nil
	}
	if len(s) > 6 && strings.EqualFold(s[:6], "INBOX/") {
		s = "INBOX" + s[5:]
	}
	return DecodeName(s, r.UTF8)
}

// Pattern reads a mailbox name with wildcards.
func (r *Reader) Pattern() (string, error) {
	c, err := r.peek()
	if err != nil {
		return "", err
	}
	var s string
	if c == '"' || c == '{' {
		s, err = r.String()
	} else {
		s, err = r.run(&listChars, "a mailbox pattern")
	}
	if err != nil {
		return "", err
	}
	return DecodeName(s, r.UTF8)
}

// DateTime reads "dd-Mon-yyyy hh:mm:ss +zzzz".
func (r *Reader) DateTime() (time.Time, error) {
	s, err := r.quoted()
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse("_2-Jan-2006 15:04:05 -0700", s)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, SyntaxError(fmt.Sprintf("%q is not a date and time", s))
	}
	return t, nil
}

// Date reads a date for SEARCH, quoted or not.
func (r *Reader) Date() (time.Time, error) {
	s, err := r.AString()
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse("2-Jan-2006", s)
	if err != nil {
		return time.Time{}, SyntaxError(fmt.Sprintf("%q is not a date", s))
	}
	return t, nil
}

// IsSyntax says whether err is about the command and not about the connection.
func IsSyntax(err error) bool {
	var s SyntaxError
	var l LimitError
	return errors.As(err, &s) || errors.As(err, &l)
}

// Line reads a line that is no command (a response of AUTHENTICATE), without its end.
func (r *Reader) Line(max int) (string, error) {
	r.line, r.tailLen = 0, 0
	var b []byte
	for {
		c, err := r.peek()
		if err != nil {
			return "", err
		}
		if len(b) > max {
			return "", LimitError("the line is too long")
		}
		r.take(c)
		if c == '\n' {
			return strings.TrimSuffix(string(b), "\r"), nil
		}
		b = append(b, c)
	}
}

// Keyword takes one of the words, and the space after it, if one of them comes next; ""
// when none does. No word may be the beginning of an argument that is to be read.
func (r *Reader) Keyword(words ...string) (string, error) {
	for {
		have := (*r.buf)[r.r:r.w]
		for _, w := range words {
			n := len(w)
			if len(have) > n && strings.EqualFold(string(have[:n]), w) && have[n] == ' ' {
				for range n + 1 {
					if _, err := r.next(); err != nil {
						return "", err
					}
				}
				return w, nil
			}
		}
		if !r.partOf(have, words) {
			return "", nil
		}
		if err := r.fillMore(); err != nil {
			return "", err
		}
	}
}

// partOf says whether have may still become one of words.
func (r *Reader) partOf(have []byte, words []string) bool {
	for _, w := range words {
		w += " "
		if len(have) < len(w) && strings.EqualFold(string(have), w[:len(have)]) {
			return true
		}
	}
	return false
}
