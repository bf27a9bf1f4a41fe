package wire

import (
	"strings"
	"time"
)

// A Key is one search key (RFC 9051 section 6.4.4); several together are And.
type Key struct {
	Op    KeyOp
	Sub   []Key // of And (all), Or (two), Not (one)
	Set   Set
	Flag  string // of Flag, Unflag: `\Seen` or a keyword
	Field string // of Header
	Text  string // of Header, Body, Text
	Date  time.Time
	N     int64 // of Larger, Smaller, in octets; of Older, Younger, in seconds
}

// KeyOp says which key.
type KeyOp uint8

// Keys.
const (
	KeyAnd KeyOp = iota
	KeyOr
	KeyNot
	KeyAll
	KeySeqs
	KeyUIDs
	KeyFlag
	KeyUnflag
	KeyNone // RECENT and NEW: nothing is ever recent
	KeyHeader
	KeyBody
	KeyText
	KeyBefore
	KeyOn
	KeySince
	KeySentBefore
	KeySentOn
	KeySentSince
	KeySavedBefore
	KeySavedOn
	KeySavedSince
	KeyLarger
	KeySmaller
	KeyOlder
	KeyYounger
	KeyEmailID
	KeyThreadID
)

var flagKeys = map[string]Key{
	"ANSWERED": {Op: KeyFlag, Flag: `\Answered`}, "UNANSWERED": {Op: KeyUnflag, Flag: `\Answered`},
	"DELETED": {Op: KeyFlag, Flag: `\Deleted`}, "UNDELETED": {Op: KeyUnflag, Flag: `\Deleted`},
	"DRAFT": {Op: KeyFlag, Flag: `\Draft`}, "UNDRAFT": {Op: KeyUnflag, Flag: `\Draft`},
	"FLAGGED": {Op: KeyFlag, Flag: `\Flagged`}, "UNFLAGGED": {Op: KeyUnflag, Flag: `\Flagged`},
	"SEEN": {Op: KeyFlag, Flag: `\Seen`}, "UNSEEN": {Op: KeyUnflag, Flag: `\Seen`},
	"ALL": {Op: KeyAll}, "OLD": {Op: KeyAll}, "RECENT": {Op: KeyNone}, "NEW": {Op: KeyNone},
	"SAVEDATESUPPORTED": {Op: KeyAll},
}

var textKeys = map[string]Key{
	"BCC": {Op: KeyHeader, Field: "Bcc"}, "CC": {Op: KeyHeader, Field: "Cc"}, "FROM": {Op: KeyHeader, Field: "From"},
	"TO": {Op: KeyHeader, Field: "To"}, "SUBJECT": {Op: KeyHeader, Field: "Subject"},
	"BODY": {Op: KeyBody}, "TEXT": {Op: KeyText},
	"EMAILID": {Op: KeyEmailID}, "THREADID": {Op: KeyThreadID},
}

var dateKeys = map[string]KeyOp{
	"BEFORE": KeyBefore, "ON": KeyOn, "SINCE": KeySince,
	"SENTBEFORE": KeySentBefore, "SENTON": KeySentOn, "SENTSINCE": KeySentSince,
	"SAVEDBEFORE": KeySavedBefore, "SAVEDON": KeySavedOn, "SAVEDSINCE": KeySavedSince,
}

// maxKeys bounds a search program.
const maxKeys = 1000

// Program reads search keys to the end of the line: all must hold.
func (r *Reader) Program() (Key, error) {
	k := Key{Op: KeyAnd}
	budget := maxKeys
	for {
		sub, err := r.key(0, &budget)
		if err != nil {
			return k, err
		}
		k.Sub = append(k.Sub, sub)
		if more, err := r.More(); err != nil || !more {
			return k, err
		}
	}
}

func (r *Reader) key(depth int, budget *int) (Key, error) {
	if *budget--; *budget < 0 || depth > maxDepth {
		return Key{}, LimitError("the search is too long")
	}
	c, err := r.peek()
	if err != nil {
		return Key{}, err
	}
	if c == '(' {
		k := Key{Op: KeyAnd}
		err := r.List(func() error {
			sub, err := r.key(depth+1, budget)
			k.Sub = append(k.Sub, sub)
			return err
		})
		if err == nil && len(k.Sub) == 0 {
			err = SyntaxError("an empty search key")
		}
		return k, err
	}
	if c >= '0' && c <= '9' || c == '*' || c == '$' {
		s, err := r.Set()
		return Key{Op: KeySeqs, Set: s}, err
	}
	name, err := r.Word()
	if err != nil {
		return Key{}, err
	}
	if k, ok := flagKeys[name]; ok {
		return k, nil
	}
	if err := r.SP(); err != nil {
		return Key{}, SyntaxError("SEARCH does not know " + name + ", or it needs an argument")
	}
	return r.keyWith(name, depth, budget)
}

// keyWith reads the arguments of a key.
func (r *Reader) keyWith(name string, depth int, budget *int) (k Key, err error) {
	if k, ok := textKeys[name]; ok {
		k.Text, err = r.AString()
		return k, err
	}
	if op, ok := dateKeys[name]; ok {
		t, err := r.Date()
		return Key{Op: op, Date: t}, err
	}
	switch name {
	case "NOT":
		sub, err := r.key(depth+1, budget)
		return Key{Op: KeyNot, Sub: []Key{sub}}, err
	case "OR":
		a, err := r.key(depth+1, budget)
		if err != nil {
			return k, err
		}
		if err := r.SP(); err != nil {
			return k, err
		}
		b, err := r.key(depth+1, budget)
		return Key{Op: KeyOr, Sub: []Key{a, b}}, err
	case "UID":
		s, err := r.Set()
		return Key{Op: KeyUIDs, Set: s}, err
	case "KEYWORD", "UNKEYWORD":
		k.Op = KeyFlag
		if strings.HasPrefix(name, "UN") {
			k.Op = KeyUnflag
		}
		k.Flag, err = r.Flag()
		return k, err
	case "LARGER", "SMALLER", "OLDER", "YOUNGER":
		k.Op = map[string]KeyOp{"LARGER": KeyLarger, "SMALLER": KeySmaller, "OLDER": KeyOlder, "YOUNGER": KeyYounger}[name]
		k.N, err = r.Number64()
		return k, err
	case "HEADER":
		k.Op = KeyHeader
		if k.Field, err = r.AString(); err != nil {
			return k, err
		}
		if err := r.SP(); err != nil {
			return k, err
		}
		k.Text, err = r.AString()
		return k, err
	}
	return k, SyntaxError("SEARCH does not know " + name)
}
