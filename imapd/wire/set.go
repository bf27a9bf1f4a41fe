package wire

import "strconv"

// A Range is From:To; Star stands for the largest number there is.
type Range struct{ From, To uint32 }

// Star is * in a set.
const Star = 0

// A Set is of sequence numbers or UIDs, in the order in which it was written.
type Set struct {
	Ranges []Range
	Saved  bool // $: what the last SEARCH saved (RFC 9051 section 6.4.4.1)
}

// Set reads a sequence set, or $.
func (r *Reader) Set() (Set, error) {
	var s Set
	c, err := r.peek()
	if err != nil {
		return s, err
	}
	if c == '$' {
		_, err := r.next()
		s.Saved = true
		return s, err
	}
	for {
		from, err := r.setNumber()
		if err != nil {
			return s, err
		}
		to := from
		if c, err = r.peek(); err != nil {
			return s, err
		}
		if c == ':' {
			if _, err := r.next(); err != nil {
				return s, err
			}
			if to, err = r.setNumber(); err != nil {
				return s, err
			}
		}
		if len(s.Ranges) >= maxItems {
			return s, LimitError("a set is too long")
		}
		s.Ranges = append(s.Ranges, Range{from, to})
		if c, err = r.peek(); err != nil {
			return s, err
		}
		if c != ',' {
			return s, nil
		}
		if _, err := r.next(); err != nil {
			return s, err
		}
	}
}

func (r *Reader) setNumber() (uint32, error) {
	c, err := r.peek()
	if err != nil {
		return 0, err
	}
	if c == '*' {
		_, err := r.next()
		return Star, err
	}
	n, err := r.Number()
	if err == nil && n == 0 {
		err = SyntaxError("numbers of messages begin at 1")
	}
	return n, err
}

// AppendSet adds numbers as a set, in the order given, with ranges where they ascend by one.
func AppendSet[N ~uint32](dst []byte, ns []N) []byte {
	for i := 0; i < len(ns); {
		j := i
		for j+1 < len(ns) && ns[j+1] == ns[j]+1 {
			j++
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(ns[i]), 10)
		if j > i {
			dst = append(dst, ':')
			dst = strconv.AppendUint(dst, uint64(ns[j]), 10)
		}
		i = j + 1
	}
	return dst
}
