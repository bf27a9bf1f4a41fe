package bolt

import (
	"encoding/binary"
	"fmt"

	"sampul/store"
	"sampul/store/journal"
)

// Buckets of a shard. Numbers in keys are big-endian, so that they sort.
var (
	bucketMeta      = []byte("meta")      // watermarks, salts
	bucketCounters  = []byte("counters")  // account: what only grows, and octets used
	bucketNames     = []byte("names")     // account, name: mailbox ID, subscribed
	bucketMailboxes = []byte("mailboxes") // mailbox ID: its row
	bucketStates    = []byte("states")    // mailbox ID, UID: what changes
	bucketFacts     = []byte("facts")     // mailbox ID, UID: what never changes, sealed
	bucketExpunged  = []byte("expunged")  // mailbox ID, MODSEQ, UID: time and body
	bucketBodies    = []byte("bodies")    // body ID: where it is, how often it is named
	bucketParked    = []byte("parked")    // stream, sequence: what could not be filed, sealed
	bucketQueue     = []byte("queue")     // queue.db, queue ID: entry, sealed

	shardBuckets = [][]byte{bucketMeta, bucketCounters, bucketNames, bucketMailboxes, bucketStates,
		bucketFacts, bucketExpunged, bucketBodies, bucketParked}
	queueBuckets = [][]byte{bucketMeta, bucketQueue, bucketQuarantine, bucketParked, bucketAppCounts, bucketRuns}
)

// An accountRow has the counters that never fall.
type accountRow struct {
	id          store.AccountID
	uidValidity uint32 // last one given
	modSeq      store.ModSeq
	used        int64 // octets in mailboxes
}

func (a *accountRow) encode() []byte {
	b := []byte{rowVersion}
	b = putInt(b, 1, uint64(a.uidValidity))
	b = putInt(b, 2, uint64(a.modSeq))
	return putInt(b, 3, uint64(a.used))
}

func decodeAccount(id store.AccountID, b []byte) (*accountRow, error) {
	a := &accountRow{id: id}
	r := readRow(b)
	for r.next() {
		switch r.num {
		case 1:
			a.uidValidity = uint32(r.int())
		case 2:
			a.modSeq = store.ModSeq(r.int())
		case 3:
			a.used = int64(r.int())
		}
	}
	return a, r.err
}

// A mailboxRow is a mailbox and its counters, which change in the transaction that
// changes what they count.
type mailboxRow struct {
	id       uint64
	account  store.AccountID
	name     string
	use      string
	keywords []string
	deleted  int64 // when it was deleted, seconds since 1970; its messages wait for the purge
	status   store.Status
}

func (m *mailboxRow) encode() []byte {
	s := &m.status
	b := []byte{rowVersion}
	b = putInt(b, 1, uint64(m.account))
	b = putString(b, 2, m.name)
	b = putString(b, 3, m.use)
	b = putInt(b, 4, uint64(s.UIDValidity))
	b = putInt(b, 5, uint64(s.UIDNext))
	b = putInt(b, 6, uint64(s.HighestModSeq))
	b = putInt(b, 7, uint64(s.Messages))
	b = putInt(b, 8, uint64(s.Unseen))
	b = putInt(b, 9, uint64(s.Deleted))
	b = putInt(b, 10, uint64(s.Size))
	b = putInt(b, 11, uint64(s.DeletedSize))
	b = putInt(b, 12, uint64(m.deleted))
	for _, k := range m.keywords {
		b = putString(b, 13, k)
	}
	return b
}

func decodeMailbox(id uint64, b []byte) (*mailboxRow, error) {
	m := &mailboxRow{id: id}
	s := &m.status
	r := readRow(b)
	for r.next() {
		switch r.num {
		case 1:
			m.account = store.AccountID(r.int())
		case 2:
			m.name = string(r.data)
		case 3:
			m.use = string(r.data)
		case 4:
			s.UIDValidity = uint32(r.int())
		case 5:
			s.UIDNext = store.UID(r.int())
		case 6:
			s.HighestModSeq = store.ModSeq(r.int())
		case 7:
			s.Messages = uint32(r.int())
		case 8:
			s.Unseen = uint32(r.int())
		case 9:
			s.Deleted = uint32(r.int())
		case 10:
			s.Size = int64(r.int())
		case 11:
			s.DeletedSize = int64(r.int())
		case 12:
			m.deleted = int64(r.int())
		case 13:
			m.keywords = append(m.keywords, string(r.data))
		}
	}
	return m, r.err
}

func (m *mailboxRow) info(subscribed bool) store.MailboxInfo {
	return store.MailboxInfo{ID: m.id, Name: m.name, UIDValidity: m.status.UIDValidity, Use: m.use,
		Subscribed: subscribed, Exists: true}
}

// count adds (n = 1) or takes (n = -1) a message to the counters.
func (m *mailboxRow) count(s *store.State, n int) {
	add := func(c *uint32) { *c = uint32(int(*c) + n) }
	add(&m.status.Messages)
	m.status.Size += int64(n) * s.Size
	if s.Flags&store.FlagSeen == 0 {
		add(&m.status.Unseen)
	}
	if s.Flags&store.FlagDeleted != 0 {
		add(&m.status.Deleted)
		m.status.DeletedSize += int64(n) * s.Size
	}
}

// stateLen is the length of a state row: version, flags, keywords, MODSEQ, size,
// internal date, body ID.
const stateLen = 1 + 1 + 8 + 8 + 8 + 8 + 16

func encodeState(b []byte, s *store.State) []byte {
	b = append(b[:0], rowVersion, byte(s.Flags))
	b = binary.BigEndian.AppendUint64(b, s.Keywords)
	b = binary.BigEndian.AppendUint64(b, uint64(s.ModSeq))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Size))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Internal))
	return append(b, s.Body[:]...)
}

func decodeState(uid store.UID, b []byte, s *store.State) error {
	if len(b) < stateLen || b[0] != rowVersion {
		return fmt.Errorf("%w: state of a message", errRow)
	}
	s.UID, s.Flags = uid, store.Flags(b[1])
	s.Keywords = binary.BigEndian.Uint64(b[2:])
	s.ModSeq = store.ModSeq(binary.BigEndian.Uint64(b[10:]))
	s.Size = int64(binary.BigEndian.Uint64(b[18:]))
	s.Internal = int64(binary.BigEndian.Uint64(b[26:]))
	copy(s.Body[:], b[34:])
	return nil
}

// An expungedRow remembers a message that went, for QRESYNC and undelete. A message
// that was moved keeps no body here: its new row has it.
func encodeExpunged(when int64, s *store.State, moved bool) []byte {
	b := make([]byte, 0, 40)
	b = append(b, rowVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(when))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Size))
	b = append(b, byte(s.Flags))
	b = binary.BigEndian.AppendUint64(b, s.Keywords)
	if !moved {
		b = append(b, s.Body[:]...)
	}
	return b
}

// expungedBody is the body that an expunged row still names, if any.
func expungedBody(b []byte) (id store.BodyID, ok bool) {
	const head = 1 + 8 + 8 + 1 + 8
	if len(b) != head+16 {
		return id, false
	}
	return store.BodyID(b[head:]), true
}

// A bodyRow says where a body is, in which stream, and how often the shard names it.
type bodyRow struct {
	stream store.Lane
	refs   uint32
	ref    journal.BodyRef
}

func (r *bodyRow) encode() ([]byte, error) {
	b := make([]byte, 0, 6+journal.BodyRefLen)
	b = append(b, rowVersion, byte(r.stream))
	b = binary.BigEndian.AppendUint32(b, r.refs)
	return r.ref.AppendBinary(b)
}

func decodeBody(b []byte) (r bodyRow, err error) {
	if len(b) < 6 || b[0] != rowVersion || b[1] >= lanes {
		return r, fmt.Errorf("%w: row of a body", errRow)
	}
	r.stream, r.refs = store.Lane(b[1]), binary.BigEndian.Uint32(b[2:])
	if r.ref, err = journal.ParseBodyRef(b[6:]); err != nil {
		return r, fmt.Errorf("%w: %w", errRow, err)
	}
	return r, nil
}

func key8(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func nameKey(a store.AccountID, name string) []byte { return append(key8(uint64(a)), name...) }

func messageKey(b []byte, mailbox uint64, uid store.UID) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b[:0], mailbox), uint32(uid))
}

func expungedKey(mailbox uint64, m store.ModSeq, uid store.UID) []byte {
	b := binary.BigEndian.AppendUint64(key8(mailbox), uint64(m))
	return binary.BigEndian.AppendUint32(b, uint32(uid))
}

// A nameRow is a name of the list: its mailbox, 0 when only the subscription is left.
type nameRow struct {
	mailbox    uint64
	subscribed bool
}

func (n nameRow) encode() []byte {
	b := append([]byte{rowVersion}, key8(n.mailbox)...)
	if n.subscribed {
		return append(b, 1)
	}
	return append(b, 0)
}

func decodeName(b []byte) (n nameRow, err error) {
	if len(b) < 10 || b[0] != rowVersion {
		return n, fmt.Errorf("%w: name of a mailbox", errRow)
	}
	return nameRow{binary.BigEndian.Uint64(b[1:]), b[9] == 1}, nil
}
