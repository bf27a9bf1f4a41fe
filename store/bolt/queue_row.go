package bolt

import (
	"encoding/json"
	"slices"

	"sampul/store"
	"sampul/store/journal"
)

// A queue row holds an entry and its envelope: a version, then numbered fields. Those of
// the envelope have the numbers of an ACCEPT record, acRecipient holds the recipients
// that still wait, each followed by a quWaiting. Version 1 was JSON, and is read still.
const queueRow = 2

// Fields of a queue row beyond those of an ACCEPT record.
const (
	quAgency  = 64
	quWhy     = 65
	quWaiting = 66 // how far the recipient before it has come
)

// Fields of a quWaiting.
const (
	wtNext     = 1
	wtAttempts = 2
	wtCode     = 3
	wtEnhanced = 4
	wtText     = 5
	wtRemote   = 6
	wtTLS      = 7
	wtFlags    = 8 // bits: held, delayed
)

// A queuedRow is a row of queue.db in memory.
type queuedRow struct {
	entry
	env store.Envelope // its recipients are those of the entry, in order
}

// rowOf makes the row of an entry that is not filed yet.
func rowOf(a *accepted, agency string) *queuedRow {
	q := queueEntry(a, agency)
	if q == nil {
		return nil
	}
	row := &queuedRow{entry: *q, env: a.env}
	row.env.Recipients = remaining(q, a.env.Recipients)
	return row
}

// remaining are the recipients elsewhere that still wait, in the order of the entry.
func remaining(q *entry, all []store.Recipient) []store.Recipient {
	out := make([]store.Recipient, 0, len(q.rcpts))
	for i := range q.rcpts {
		at := slices.IndexFunc(all, func(r store.Recipient) bool { return r.Account == 0 && r.Path == q.rcpts[i].address })
		if at >= 0 {
			out = append(out, all[at])
		} else {
			out = append(out, store.Recipient{Path: q.rcpts[i].address})
		}
	}
	return out
}

// change replaces the entry of the row; recipients that are done leave its envelope.
func (r *queuedRow) change(q *entry) {
	r.entry = *q
	r.env.Recipients = remaining(q, r.env.Recipients)
}

func (r *queuedRow) encode(b []byte) ([]byte, error) {
	e := &r.env
	ref, err := r.ref.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	b = append(b[:0], queueRow)
	b = putString(b, acFrom, e.From)
	b = putInt(b, acReceived, uint64(e.Received.UnixNano()))
	b = putBytes(b, acPrefix, e.Prefix)
	b = putInt(b, acNotBefore, uint64(r.opens))
	b = putInt(b, acApp, uint64(e.App))
	b = putInt(b, acAppCounted, uint64(e.AppCounted))
	b = putString(b, acRun, e.Run)
	b = putInt(b, acSender, uint64(e.Sender))
	b = putInt(b, acParams, params(e))
	b = putString(b, acRet, e.Ret)
	b = putString(b, acEnvID, e.EnvID)
	b = putString(b, acVerdict, e.VerdictID)
	b = putString(b, acClass, e.Class)
	b = putInt(b, acLane, uint64(e.Lane))
	b = putBytes(b, acBody, ref)
	b = putString(b, quAgency, r.agency.String())
	b = putString(b, quWhy, r.why.String())
	for i := range r.rcpts {
		b = putBytes(b, acRecipient, encodeRecipient(&e.Recipients[i], 0))
		b = putBytes(b, quWaiting, r.rcpts[i].encode())
	}
	return b, nil
}

func (w *waiting) encode() []byte {
	b := make([]byte, 0, 64)
	b = append(b, rowVersion)
	b = putInt(b, wtNext, uint64(w.next))
	b = putInt(b, wtAttempts, uint64(w.attempts))
	b = putInt(b, wtCode, uint64(w.code))
	b = putString(b, wtEnhanced, w.enhanced.String())
	b = putString(b, wtText, w.text.String())
	b = putString(b, wtRemote, w.remote.String())
	b = putString(b, wtTLS, w.tl.String())
	return putInt(b, wtFlags, bit(w.held, 0)|bit(w.delayed, 1))
}

func (w *waiting) decode(b []byte) error {
	r := readRow(b)
	for r.next() {
		switch r.num {
		case wtNext:
			w.next = int64(r.int())
		case wtAttempts:
			w.attempts = uint32(r.int())
		case wtCode:
			w.code = uint16(r.int())
		case wtEnhanced:
			w.enhanced = share(string(r.data))
		case wtText:
			w.text = share(string(r.data))
		case wtRemote:
			w.remote = share(string(r.data))
		case wtTLS:
			w.tl = share(string(r.data))
		case wtFlags:
			f := r.int()
			w.held, w.delayed = f&1 != 0, f&2 != 0
		}
	}
	return r.err
}

// decodeQueueRow reads a row of either version.
func decodeQueueRow(id string, b []byte) (*queuedRow, error) {
	if len(b) > 0 && b[0] == rowVersion {
		return decodeJSONRow(b[1:])
	}
	row := &queuedRow{}
	q, e := &row.entry, &row.env
	e.QueueID = id
	err := walkQueueRow(b, func(r *fieldReader) {
		switch r.num {
		case acRecipient:
			rc, _, err := decodeRecipient(r.data)
			if err != nil {
				r.err = err
			}
			rc.Prefix = slices.Clone(rc.Prefix)
			e.Recipients = append(e.Recipients, rc)
		case acPrefix:
			e.Prefix = slices.Clone(r.data)
		default:
			decodeEnvelope(e, r)
		}
		q.decode(r)
	})
	q.named(id)
	return row, err
}

// decodeEntry reads what memory keeps of a row: little, and quickly.
func decodeEntry(id string, b []byte) (*entry, error) {
	if len(b) > 0 && b[0] == rowVersion {
		row, err := decodeJSONRow(b[1:])
		if err != nil {
			return nil, err
		}
		return &row.entry, nil
	}
	q := &entry{}
	err := walkQueueRow(b, q.decode)
	q.named(id)
	return q, err
}

func walkQueueRow(b []byte, f func(*fieldReader)) error {
	if len(b) == 0 || b[0] != queueRow {
		return errRow
	}
	r := fieldReader{rest: b[1:]}
	for r.next() {
		f(&r)
	}
	return r.err
}

// named gives the entry the name of its row, once the fields are read.
func (q *entry) named(id string) {
	q.id = id
	q.size += q.ref.Size
}

func (q *entry) decode(r *fieldReader) {
	switch r.num {
	case acFrom:
		q.from = string(r.data)
	case acReceived:
		q.created = int64(r.int())
	case acNotBefore:
		q.opens = int64(r.int())
	case acPrefix:
		q.size = int64(len(r.data))
	case acRun:
		q.run = share(string(r.data))
	case acSender:
		q.sender = store.AccountID(r.int())
	case acLane:
		if q.lane = store.Lane(r.int()); q.lane >= lanes {
			r.err = errRow
		}
	case acBody:
		q.ref = r.ref()
	case quAgency:
		q.agency = share(string(r.data))
	case quWhy:
		q.why = share(string(r.data))
	case acRecipient:
		path, err := recipientPath(r.data)
		if err != nil {
			r.err = err
		}
		q.rcpts = append(q.rcpts, waiting{address: path, next: q.created})
	case quWaiting:
		if len(q.rcpts) == 0 {
			r.err = errRow
		} else if err := q.rcpts[len(q.rcpts)-1].decode(r.data); err != nil {
			r.err = err
		}
	}
}

// recipientPath is the forward-path alone.
func recipientPath(b []byte) (string, error) {
	w := readRow(b)
	for w.next() {
		if w.num == rcPath {
			return string(w.data), nil
		}
	}
	return "", w.err
}

// decodeJSONRow reads a row of the first version.
func decodeJSONRow(b []byte) (*queuedRow, error) {
	var old struct {
		Entry    store.QueueEntry
		Envelope *store.Envelope
		Ref      []byte
	}
	if err := json.Unmarshal(b, &old); err != nil {
		return nil, errRow
	}
	ref, err := journal.ParseBodyRef(old.Ref)
	if err != nil || old.Envelope == nil || old.Entry.Lane >= lanes {
		return nil, errRow
	}
	q := entry{id: old.Entry.ID, from: old.Entry.From, lane: old.Entry.Lane, created: old.Entry.Created.UnixNano(),
		size: old.Entry.Size, sender: old.Envelope.Sender, ref: ref}
	for _, r := range old.Entry.Recipients {
		w := waiting{address: r.Address, next: q.created, attempts: uint32(r.Attempts)}
		w.tried(&store.Outcome{NextTry: r.NextTry, Code: r.Code, Enhanced: r.Enhanced, Text: r.Text, NoAttempt: true})
		q.rcpts = append(q.rcpts, w)
	}
	row := &queuedRow{env: *old.Envelope}
	row.change(&q)
	return row, nil
}
