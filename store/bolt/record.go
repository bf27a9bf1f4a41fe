package bolt

import (
	"time"

	"sampul/store"
	"sampul/store/journal"
)

// Fields of an ACCEPT record.
const (
	acQueueID    = 1
	acFrom       = 2
	acReceived   = 3 // nanoseconds since 1970
	acPrefix     = 4
	acApp        = 5
	acAppCounted = 6
	acSender     = 7
	acParams     = 8 // bits: 8BITMIME, SMTPUTF8, REQUIRETLS
	acRet        = 9
	acEnvID      = 10
	acVerdict    = 11
	acClass      = 12
	acLane       = 13
	acBody       = 14 // journal.BodyRef
	acFacts      = 15 // shared facts
	acEmailID    = 16
	acRuleSet    = 17
	acAppAt      = 19 // nanoseconds since 1970
	acRun        = 20
	acNotBefore  = 21 // nanoseconds since 1970
	acFinish     = 18 // forward-path that leaves the queue by this filing
	acRecipient  = 32 // repeated
)

// Fields of a recipient inside.
const (
	rcPath    = 1
	rcAccount = 2
	rcAgency  = 3
	rcMailbox = 4
	rcNotify  = 5
	rcORcpt   = 6
	rcPrefix  = 7
	rcShard   = 8
	rcFrom    = 9
	rcVia     = 10
)

// An accepted is an ACCEPT record in memory.
type accepted struct {
	env     store.Envelope
	ruleSet string
	ref     journal.BodyRef
	facts   []byte
	email   [16]byte
	shards  []uint8 // of env.Recipients
	finish  string  // recipient of the queue that is filed here instead, "" for none
}

func bit(b bool, n uint) uint64 {
	if b {
		return 1 << n
	}
	return 0
}

func (a *accepted) fields() ([]journal.Field, error) {
	e := &a.env
	ref, err := a.ref.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	fs := make([]journal.Field, 0, 21+len(e.Recipients))
	put := func(num uint16, data []byte) {
		if len(data) > 0 {
			fs = append(fs, journal.Field{Num: num, Data: data})
		}
	}
	num := func(n uint16, v uint64) {
		if v != 0 {
			fs = append(fs, intField(n, v))
		}
	}
	put(acQueueID, []byte(e.QueueID))
	put(acFrom, []byte(e.From))
	num(acReceived, uint64(e.Received.UnixNano()))
	put(acPrefix, e.Prefix)
	num(acApp, uint64(e.App))
	num(acAppCounted, uint64(e.AppCounted))
	if !e.AppAt.IsZero() {
		num(acAppAt, uint64(e.AppAt.UnixNano()))
	}
	put(acRun, []byte(e.Run))
	if !e.NotBefore.IsZero() {
		num(acNotBefore, uint64(e.NotBefore.UnixNano()))
	}
	num(acSender, uint64(e.Sender))
	num(acParams, params(e))
	put(acRet, []byte(e.Ret))
	put(acEnvID, []byte(e.EnvID))
	put(acVerdict, []byte(e.VerdictID))
	put(acClass, []byte(e.Class))
	num(acLane, uint64(e.Lane))
	put(acBody, ref)
	put(acFacts, a.facts)
	put(acEmailID, a.email[:])
	put(acRuleSet, []byte(a.ruleSet))
	put(acFinish, []byte(a.finish))
	for i := range e.Recipients {
		put(acRecipient, encodeRecipient(&e.Recipients[i], a.shards[i]))
	}
	return fs, nil
}

func encodeRecipient(r *store.Recipient, shard uint8) []byte {
	b := make([]byte, 0, 64+len(r.Path)+len(r.Prefix))
	b = append(b, rowVersion)
	b = putString(b, rcPath, r.Path)
	b = putInt(b, rcAccount, uint64(r.Account))
	b = putString(b, rcAgency, r.Agency)
	b = putString(b, rcMailbox, r.Mailbox)
	b = putString(b, rcNotify, r.Notify)
	b = putString(b, rcORcpt, r.ORcpt)
	b = putBytes(b, rcPrefix, r.Prefix)
	b = putInt(b, rcShard, uint64(shard))
	b = putString(b, rcFrom, r.From)
	return putString(b, rcVia, r.Via)
}

func params(e *store.Envelope) uint64 {
	return bit(e.EightBit, 0) | bit(e.SMTPUTF8, 1) | bit(e.RequireTLS, 2)
}

func decodeRecipient(b []byte) (r store.Recipient, shard uint8, err error) {
	w := readRow(b)
	for w.next() {
		switch w.num {
		case rcPath:
			r.Path = string(w.data)
		case rcAccount:
			r.Account = store.AccountID(w.int())
		case rcAgency:
			r.Agency = string(w.data)
		case rcMailbox:
			r.Mailbox = string(w.data)
		case rcNotify:
			r.Notify = string(w.data)
		case rcORcpt:
			r.ORcpt = string(w.data)
		case rcPrefix:
			r.Prefix = w.data
		case rcShard:
			shard = uint8(w.int())
		case rcFrom:
			r.From = string(w.data)
		case rcVia:
			r.Via = string(w.data)
		}
	}
	return r, shard, w.err
}

func decodeAccept(rec *journal.Record) (*accepted, error) {
	a := &accepted{}
	e := &a.env
	err := fieldsOf(rec, func(w *fieldReader) {
		switch w.num {
		case acBody:
			a.ref = w.ref()
		case acFacts:
			a.facts = w.data
		case acEmailID:
			w.id(&a.email)
		case acRuleSet:
			a.ruleSet = string(w.data)
		case acRecipient:
			r, shard, err := decodeRecipient(w.data)
			if err != nil {
				w.err = err
			}
			e.Recipients = append(e.Recipients, r)
			a.shards = append(a.shards, shard)
		case acFinish:
			a.finish = string(w.data)
		default:
			decodeEnvelope(e, w)
		}
	})
	return a, err
}

// decodeEnvelope reads a field that says something of the whole transaction. Its data is
// not copied.
func decodeEnvelope(e *store.Envelope, w *fieldReader) {
	switch w.num {
	case acQueueID:
		e.QueueID = string(w.data)
	case acFrom:
		e.From = string(w.data)
	case acReceived:
		e.Received = time.Unix(0, int64(w.int()))
	case acPrefix:
		e.Prefix = w.data
	case acApp:
		e.App = store.AccountID(w.int())
	case acAppCounted:
		e.AppCounted = uint32(w.int())
	case acAppAt:
		e.AppAt = time.Unix(0, int64(w.int()))
	case acRun:
		e.Run = string(w.data)
	case acNotBefore:
		e.NotBefore = time.Unix(0, int64(w.int()))
	case acSender:
		e.Sender = store.AccountID(w.int())
	case acParams:
		p := w.int()
		e.EightBit, e.SMTPUTF8, e.RequireTLS = p&1 != 0, p&2 != 0, p&4 != 0
	case acRet:
		e.Ret = string(w.data)
	case acEnvID:
		e.EnvID = string(w.data)
	case acVerdict:
		e.VerdictID = string(w.data)
	case acClass:
		e.Class = string(w.data)
	case acLane:
		e.Lane = store.Lane(w.int())
	}
}

// Fields of an APPEND record.
const (
	apOp      = 1 // random, names the operation
	apAccount = 2
	apMailbox = 3
	apSaved   = 4
	apShard   = 5
	apAgency  = 6
	apMessage = 32 // repeated
)

// Fields of a message inside.
const (
	amFlags    = 1
	amInternal = 2
	amBody     = 3
	amFacts    = 4
	amEmailID  = 5
	amReplaces = 6
	amKeyword  = 7 // repeated
)

// An appended is an APPEND record in memory.
type appended struct {
	op      [16]byte
	account store.AccountID
	mailbox uint64
	saved   time.Time
	shard   uint8
	agency  string
	msgs    []appendedMessage
}

type appendedMessage struct {
	flags    store.Flags
	keywords []string
	internal time.Time
	ref      journal.BodyRef
	facts    []byte
	email    [16]byte
	replaces store.UID
}

func (a *appended) fields() ([]journal.Field, error) {
	fs := []journal.Field{
		{Num: apOp, Data: a.op[:]},
		intField(apAccount, uint64(a.account)),
		intField(apMailbox, a.mailbox),
		intField(apSaved, uint64(a.saved.UnixNano())),
		intField(apShard, uint64(a.shard)),
		{Num: apAgency, Data: []byte(a.agency)},
	}
	for i := range a.msgs {
		m := &a.msgs[i]
		ref, err := m.ref.AppendBinary(nil)
		if err != nil {
			return nil, err
		}
		b := make([]byte, 0, len(m.facts)+128)
		b = append(b, rowVersion)
		b = putInt(b, amFlags, uint64(m.flags))
		b = putInt(b, amInternal, uint64(m.internal.UnixNano()))
		b = putBytes(b, amBody, ref)
		b = putBytes(b, amFacts, m.facts)
		b = putBytes(b, amEmailID, m.email[:])
		b = putInt(b, amReplaces, uint64(m.replaces))
		for _, k := range m.keywords {
			b = putString(b, amKeyword, k)
		}
		fs = append(fs, journal.Field{Num: apMessage, Data: b})
	}
	return fs, nil
}

func decodeAppend(rec *journal.Record) (*appended, error) {
	a := &appended{}
	err := fieldsOf(rec, func(w *fieldReader) {
		switch w.num {
		case apOp:
			w.id(&a.op)
		case apAccount:
			a.account = store.AccountID(w.int())
		case apMailbox:
			a.mailbox = w.int()
		case apSaved:
			a.saved = time.Unix(0, int64(w.int()))
		case apShard:
			a.shard = uint8(w.int())
		case apAgency:
			a.agency = string(w.data)
		case apMessage:
			m, err := decodeAppendedMessage(w.data)
			if err != nil {
				w.err = err
			}
			a.msgs = append(a.msgs, m)
		}
	})
	return a, err
}

func decodeAppendedMessage(b []byte) (m appendedMessage, err error) {
	w := readRow(b)
	for w.next() {
		switch w.num {
		case amFlags:
			m.flags = store.Flags(w.int())
		case amInternal:
			m.internal = time.Unix(0, int64(w.int()))
		case amBody:
			m.ref = w.ref()
		case amFacts:
			m.facts = w.data
		case amEmailID:
			w.id(&m.email)
		case amReplaces:
			m.replaces = store.UID(w.int())
		case amKeyword:
			m.keywords = append(m.keywords, string(w.data))
		}
	}
	return m, w.err
}
