package bolt

import (
	"slices"
	"time"

	"sampul/store"
	"sampul/store/journal"
)

// outcomes is a DONE record in memory.
type outcomes struct {
	id   string
	outs []store.Outcome
	run  runDelta // what they add to a run
}

// Fields of a DONE record.
const (
	dnQueueID = 1
	dnRun     = 2
	dnOutcome = 32 // repeated
)

// Fields of an outcome inside.
const (
	ocRecipient = 1
	ocDone      = 2
	ocNextTry   = 3 // nanoseconds since 1970
	ocCode      = 4
	ocEnhanced  = 5
	ocText      = 6
	ocRemote    = 7
	ocTLS       = 8
	ocFlags     = 9 // bits: Delayed, NoAttempt
)

func (d *outcomes) fields() []journal.Field {
	fs := make([]journal.Field, 0, 1+len(d.outs))
	fs = append(fs, journal.Field{Num: dnQueueID, Data: []byte(d.id)})
	for i := range d.outs {
		o := &d.outs[i]
		b := make([]byte, 0, 48+len(o.Recipient)+len(o.Text)+len(o.Remote))
		b = append(b, rowVersion)
		b = putString(b, ocRecipient, o.Recipient)
		b = putInt(b, ocDone, bit(o.Done, 0))
		if !o.NextTry.IsZero() {
			b = putInt(b, ocNextTry, uint64(o.NextTry.UnixNano()))
		}
		b = putInt(b, ocCode, uint64(o.Code))
		b = putString(b, ocEnhanced, o.Enhanced)
		b = putString(b, ocText, o.Text)
		b = putString(b, ocRemote, o.Remote)
		b = putString(b, ocTLS, o.TLS)
		b = putInt(b, ocFlags, bit(o.Delayed, 0)|bit(o.NoAttempt, 1))
		fs = append(fs, journal.Field{Num: dnOutcome, Data: b})
	}
	if d.run.tag != "" && d.run.runCount != (runCount{}) {
		fs = append(fs, journal.Field{Num: dnRun, Data: d.run.encode()})
	}
	return fs
}

func decodeDone(rec *journal.Record) (*outcomes, error) {
	d := &outcomes{}
	err := fieldsOf(rec, func(w *fieldReader) {
		switch w.num {
		case dnQueueID:
			d.id = string(w.data)
		case dnRun:
			d.run, w.err = decodeRun(w.data)
		case dnOutcome:
			o, err := decodeOutcome(w.data)
			if err != nil {
				w.err = err
			}
			d.outs = append(d.outs, o)
		}
	})
	return d, err
}

func decodeOutcome(b []byte) (o store.Outcome, err error) {
	r := readRow(b)
	for r.next() {
		switch r.num {
		case ocRecipient:
			o.Recipient = string(r.data)
		case ocDone:
			o.Done = r.int() != 0
		case ocNextTry:
			o.NextTry = time.Unix(0, int64(r.int()))
		case ocCode:
			o.Code = int(r.int())
		case ocEnhanced:
			o.Enhanced = string(r.data)
		case ocText:
			o.Text = string(r.data)
		case ocRemote:
			o.Remote = string(r.data)
		case ocTLS:
			o.TLS = string(r.data)
		case ocFlags:
			f := r.int()
			o.Delayed, o.NoAttempt = f&1 != 0, f&2 != 0
		}
	}
	return o, r.err
}

// Verbs of administrators.
const (
	verbHold    = 1
	verbRelease = 2
	verbRetry   = 3
	verbDrop    = 4
)

// A verb is a VERB record in memory: what an administrator does to some entries.
type verb struct {
	kind uint64
	why  string
	at   int64 // nanoseconds since 1970
	ids  []string
	runs []runDelta // what it takes away of runs
}

// dropped adds an entry to what is taken away.
func (v *verb) dropped(q *entry) {
	if q.run.String() == "" {
		return
	}
	k := runKey{q.sender, q.run.String()}
	at := slices.IndexFunc(v.runs, func(d runDelta) bool { return d.runKey == k })
	if at < 0 {
		at = len(v.runs)
		v.runs = append(v.runs, runDelta{runKey: k})
	}
	v.runs[at].dropped += uint64(len(q.rcpts))
}

// Fields of a VERB record.
const (
	vbKind = 1
	vbWhy  = 2
	vbAt   = 3
	vbRun  = 31 // repeated
	vbID   = 32 // repeated
)

func (v *verb) fields() []journal.Field {
	fs := make([]journal.Field, 0, 3+len(v.ids))
	fs = append(fs, intField(vbKind, v.kind), journal.Field{Num: vbWhy, Data: []byte(v.why)}, intField(vbAt, uint64(v.at)))
	for i := range v.runs {
		fs = append(fs, journal.Field{Num: vbRun, Data: v.runs[i].encode()})
	}
	for _, id := range v.ids {
		fs = append(fs, journal.Field{Num: vbID, Data: []byte(id)})
	}
	return fs
}

func decodeVerb(rec *journal.Record) (*verb, error) {
	v := &verb{}
	err := fieldsOf(rec, func(w *fieldReader) {
		switch w.num {
		case vbKind:
			if v.kind = w.int(); v.kind < verbHold || v.kind > verbDrop {
				w.err = errRow // a newer program's: parked, not guessed at
			}
		case vbWhy:
			v.why = string(w.data)
		case vbAt:
			v.at = int64(w.int())
		case vbRun:
			d, err := decodeRun(w.data)
			if err != nil {
				w.err = err
			}
			v.runs = append(v.runs, d)
		case vbID:
			v.ids = append(v.ids, string(w.data))
		}
	})
	return v, err
}
