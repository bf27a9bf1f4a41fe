package bolt

import (
	"time"

	"sampul/internal/message"
	"sampul/store"
)

// Fields of a facts row. Those from factBodySize on are the same for every
// recipient of a message: they are made once, at Accept, stand in the record, and
// are copied into each row.
const (
	factEmailID   = 1
	factThreadID  = 2
	factInternal  = 3 // nanoseconds since 1970
	factSaved     = 4
	factCreated   = 5 // MODSEQ
	factPrefix    = 6
	factBodySize  = 16
	factEnvelope  = 17
	factStructure = 18
	factLayout    = 19
	factHeader    = 20
	factClass     = 21
	factVerdict   = 22
	factQueueID   = 23
	factAgency    = 7
	factRuleSet   = 24

	keepHeader = 4 << 10 // a longer header is read from the body
)

// sharedFacts makes what every row of a message has in common.
func sharedFacts(body store.Body, x *message.Index, class, verdict, ruleSet, queueID string) ([]byte, error) {
	b := make([]byte, 0, 2048)
	b = putInt(b, factBodySize, uint64(body.Size()))
	scratch := make([]byte, 0, 1024)
	scratch = x.AppendEnvelope(scratch[:0])
	b = putBytes(b, factEnvelope, scratch)
	scratch = x.AppendStructure(scratch[:0], 0, true)
	b = putBytes(b, factStructure, scratch)
	scratch = x.AppendLayout(scratch[:0])
	b = putBytes(b, factLayout, scratch)
	if n := x.Parts[0].BodyStart; n > 0 && n <= keepHeader && n <= body.Size() {
		scratch = append(scratch[:0], make([]byte, n)...)
		if got, err := body.ReadAt(scratch, 0); got < len(scratch) {
			return nil, err
		}
		b = putBytes(b, factHeader, scratch)
	}
	b = putString(b, factClass, class)
	b = putString(b, factVerdict, verdict)
	b = putString(b, factRuleSet, ruleSet)
	return putString(b, factQueueID, queueID), nil
}

// ownFacts is what differs from recipient to recipient.
type ownFacts struct {
	email, thread [16]byte
	internal      time.Time
	saved         time.Time
	created       store.ModSeq
	prefix        []byte
	agency        string
}

func (f *ownFacts) encode(b []byte, shared []byte) []byte {
	b = append(b[:0], rowVersion)
	b = putBytes(b, factEmailID, f.email[:])
	b = putBytes(b, factThreadID, f.thread[:])
	b = putInt(b, factInternal, uint64(f.internal.UnixNano()))
	b = putInt(b, factSaved, uint64(f.saved.UnixNano()))
	b = putInt(b, factCreated, uint64(f.created))
	b = putBytes(b, factPrefix, f.prefix)
	b = putString(b, factAgency, f.agency)
	return append(b, shared...)
}

// decodeFacts fills f; its slices are parts of b.
func decodeFacts(uid store.UID, b []byte, f *store.Facts) error {
	*f = store.Facts{UID: uid, Class: f.Class, Agency: f.Agency}
	class, agency := "", ""
	r := readRow(b)
	for r.next() {
		switch r.num {
		case factEmailID:
			r.id(&f.EmailID)
		case factThreadID:
			r.id(&f.ThreadID)
		case factInternal:
			f.Internal = time.Unix(0, int64(r.int()))
		case factSaved:
			f.Saved = time.Unix(0, int64(r.int()))
		case factCreated:
			f.CreatedAt = store.ModSeq(r.int())
		case factPrefix:
			f.Prefix = r.data
		case factBodySize:
			f.BodySize = int64(r.int())
		case factEnvelope:
			f.Envelope = r.data
		case factStructure:
			f.Structure = r.data
		case factLayout:
			f.Layout = r.data
		case factHeader:
			f.Header = r.data
		case factClass:
			class = again(f.Class, r.data)
		case factVerdict:
			f.VerdictID = string(r.data)
		case factQueueID:
			f.QueueID = string(r.data)
		case factAgency:
			agency = again(f.Agency, r.data)
		}
	}
	f.Class, f.Agency = class, agency
	return r.err
}

// again is b as a string; mostly it is the one of the message before.
func again(last string, b []byte) string {
	if last == string(b) {
		return last
	}
	return string(b)
}

// refiled makes the row of a copy: identity and bytes stay, the rest is new.
func refiled(b, row []byte, saved time.Time, created store.ModSeq) ([]byte, error) {
	b = append(b[:0], rowVersion)
	r := readRow(row)
	for r.next() {
		switch r.num {
		case factSaved:
			b = putInt(b, factSaved, uint64(saved.UnixNano()))
		case factCreated:
			b = putInt(b, factCreated, uint64(created))
		default:
			b = putBytes(b, r.num, r.data)
		}
	}
	return b, r.err
}
