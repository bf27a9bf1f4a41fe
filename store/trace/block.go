package trace

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"sampul/internal/seal"
	"sampul/store"
)

// A block is what is being gathered.
type block struct {
	events []byte
	keys   map[string]struct{} // what the filter is made of
	count  int
	record []byte
}

func (b *block) empty() bool { return b.count == 0 }

func (b *block) reset() {
	b.events, b.count = b.events[:0], 0
	clear(b.keys)
}

func (b *block) add(e *store.Event) {
	b.events = appendEvent(b.events, e)
	b.count++
	if b.keys == nil {
		b.keys = make(map[string]struct{})
	}
	b.keys[searchKey(e.ID)] = struct{}{}
	b.keys[searchKey(e.MessageID)] = struct{}{}
	b.keys[searchKey(e.From)] = struct{}{}
	for _, to := range e.To {
		b.keys[searchKey(to)] = struct{}{}
	}
	delete(b.keys, "")
}

// searchKey is the form in which things are looked for: lower case, no angle brackets.
func searchKey(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 1 && s[0] == '<' && s[len(s)-1] == '>' {
		s = s[1 : len(s)-1]
	}
	return strings.ToLower(cut(s))
}

// A block in the file: a header, the filter, then the sealed events.
//
//	0 magic   4 length of filter   8 length of sealed   12 length of events
//	16 CRC32C of header, filter and sealed
const (
	blockMagic  = 0x53545231
	blockHeader = 20
	maxFilter   = 1 << 20
	maxBlock    = 4 << 20
	filterBits  = 16 // a key: of two thousand blocks one is opened for nothing
	filterHash  = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var encoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
})

var decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock))
})

// seal makes the record of the block for a file.
func (b *block) seal(f *dayFile, t *tokens) ([]byte, error) {
	enc, err := encoder()
	if err != nil {
		return nil, err
	}
	packed := enc.EncodeAll(b.events, nil)
	filter := newFilter(len(b.keys))
	for k := range b.keys {
		filter.add(t.of(k))
	}
	r := append(b.record[:0], make([]byte, blockHeader)...)
	r = append(r, filter...)
	at := len(r)
	r = f.aead.Seal(r, nil, packed, filter)
	binary.BigEndian.PutUint32(r[0:], blockMagic)
	binary.BigEndian.PutUint32(r[4:], uint32(len(filter)))
	binary.BigEndian.PutUint32(r[8:], uint32(len(r)-at))
	binary.BigEndian.PutUint32(r[12:], uint32(len(b.events)))
	binary.BigEndian.PutUint32(r[16:], blockSum(r))
	b.record = r
	return r, nil
}

func blockSum(record []byte) uint32 {
	return crc32.Update(crc32.Checksum(record[:16], castagnoli), castagnoli, record[blockHeader:])
}

// A filter is a Bloom filter.
type filter []byte

func newFilter(keys int) filter {
	return make(filter, min(maxFilter, max(8, keys*filterBits/8+1)))
}

func (f filter) bit(token uint64, i int) (at int, mask byte) {
	h := uint32(token) + uint32(i)*(uint32(token>>32)|1)
	n := uint64(h) * uint64(len(f)*8) >> 32
	return int(n / 8), 1 << (n % 8)
}

func (f filter) add(token uint64) {
	for i := range filterHash {
		at, mask := f.bit(token, i)
		f[at] |= mask
	}
}

func (f filter) may(token uint64) bool {
	for i := range filterHash {
		if at, mask := f.bit(token, i); f[at]&mask == 0 {
			return false
		}
	}
	return true
}

// tokens are keyed hashes of search keys.
type tokens struct {
	mu  sync.Mutex
	mac hash.Hash
}

func newTokens(key *seal.DataKey) tokens {
	k := key.MAC("trace tokens")
	return tokens{mac: hmac.New(sha256.New, k[:])}
}

func (t *tokens) of(key string) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var sum [sha256.Size]byte
	t.mac.Reset()
	t.mac.Write([]byte(key))
	return binary.BigEndian.Uint64(t.mac.Sum(sum[:0]))
}
