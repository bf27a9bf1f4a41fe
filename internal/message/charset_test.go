package message

import "testing"

// Mail knows charsets that the web has given up.
func TestCharsetsOfOldMail(t *testing.T) {
	for name, c := range map[string]struct{ charset, in, want string }{
		"HZ":          {"hz-gb-2312", "~{#R#B~}a", "ＲＢa"},
		"ISO-2022-KR": {"iso-2022-kr", "\x1b$)C\x0e#R#B\x0fa", "ＲＢa"},
		"EBCDIC":      {"cp037", "\xd9\xc1\xc8", "RAH"},
		"EBCDIC 500":  {"cp500", "\xd9\xc1\xc8", "RAH"},
		"IBM 850":     {"cp850", "\xff", "\u00a0"},
		"UTF-7":       {"utf-7", "+AFI-AH", "RAH"},
	} {
		if got := DecodeCharset(c.charset, []byte(c.in)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
