package trace

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"sampul/store"
)

// Fields of an event. Numbers are never given a second meaning; unknown ones are passed over.
const (
	evTime      = 1 // nanoseconds since 1970
	evID        = 2
	evMessageID = 3
	evAgency    = 4 // repeated
	evEvent     = 5
	evFrom      = 6
	evTo        = 7 // repeated
	evHost      = 8
	evCode      = 9
	evEnhanced  = 10
	evText      = 11
)

const maxText = 2 << 10

var errEvent = errors.New("trace: not an event")

// appendEvent adds the event, with its length before it.
func appendEvent(b []byte, e *store.Event) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = appendInt(b, evTime, uint64(e.Time.UnixNano()))
	b = appendString(b, evID, e.ID)
	b = appendString(b, evMessageID, cut(e.MessageID))
	b = appendString(b, evEvent, e.Event)
	b = appendString(b, evFrom, cut(e.From))
	b = appendString(b, evHost, cut(e.Host))
	b = appendInt(b, evCode, uint64(e.Code))
	b = appendString(b, evEnhanced, cut(e.Enhanced))
	b = appendString(b, evText, cut(e.Text))
	for _, a := range e.Agencies {
		b = appendString(b, evAgency, a)
	}
	for _, to := range e.To {
		if len(b)-start > maxEvent {
			break
		}
		b = appendString(b, evTo, cut(to))
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// cut bounds what others chose.
func cut(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

func appendString(b []byte, num byte, s string) []byte {
	if s == "" {
		return b
	}
	b = append(b, num)
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendInt(b []byte, num byte, v uint64) []byte {
	if v == 0 {
		return b
	}
	var tmp [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(tmp[:], v)
	b = append(b, num, byte(n))
	return append(b, tmp[:n]...)
}

// nextEvent splits the first event from b.
func nextEvent(b []byte) (raw, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errEvent
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, errEvent
	}
	return b[4 : 4+n], b[4+n:], nil
}

// eachField calls f with the fields of an event.
func eachField(raw []byte, f func(num byte, data []byte)) error {
	for len(raw) > 0 {
		num := raw[0]
		size, n := binary.Uvarint(raw[1:])
		if n <= 0 || size > uint64(len(raw)-1-n) {
			return errEvent
		}
		end := 1 + n + int(size)
		f(num, raw[1+n:end])
		raw = raw[end:]
	}
	return nil
}

func decodeEvent(raw []byte) (e store.Event, err error) {
	err = eachField(raw, func(num byte, data []byte) {
		switch num {
		case evTime:
			v, _ := binary.Uvarint(data)
			e.Time = time.Unix(0, int64(v))
		case evID:
			e.ID = string(data)
		case evMessageID:
			e.MessageID = string(data)
		case evAgency:
			e.Agencies = append(e.Agencies, string(data))
		case evEvent:
			e.Event = string(data)
		case evFrom:
			e.From = string(data)
		case evTo:
			e.To = append(e.To, string(data))
		case evHost:
			e.Host = string(data)
		case evCode:
			v, _ := binary.Uvarint(data)
			e.Code = int(v)
		case evEnhanced:
			e.Enhanced = string(data)
		case evText:
			e.Text = string(data)
		}
	})
	return e, err
}
