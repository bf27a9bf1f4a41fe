package trace

import (
	"bufio"
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sampul/internal/seal"
)

// A day's file: magic and salt, then blocks.
const (
	fileMagic = "SAMPULT1"
	saltLen   = 32
	fileStart = len(fileMagic) + saltLen
	suffix    = ".trace"
)

func fileName(t time.Time) string { return t.UTC().Format("2006-01-02") + suffix }

// dayNames are the files there are, the oldest first.
func dayNames(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		day, ok := strings.CutSuffix(e.Name(), suffix)
		if _, err := time.Parse("2006-01-02", day); ok && err == nil {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

func removeFile(dir, name string) error { return os.Remove(filepath.Join(dir, name)) }

// A dayFile is the file that is written to.
type dayFile struct {
	name string
	f    *os.File
	aead cipher.AEAD
}

// openDay takes up the file of a day, or begins it. What a crash left of a block is cut.
func openDay(dir, name string, key *seal.DataKey) (*dayFile, error) {
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	d := &dayFile{name: name, f: f}
	head := make([]byte, fileStart)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return nil, err
	}
	if n < fileStart {
		copy(head, fileMagic)
		rand.Read(head[len(fileMagic):])
		if err = f.Truncate(0); err == nil {
			_, err = f.Write(head)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return nil, err
	}
	if d.aead, err = fileKey(head, key); err == nil {
		err = d.cutTorn()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return d, nil
}

// cutTorn cuts what is behind the last whole block.
func (d *dayFile) cutTorn() error {
	st, err := d.f.Stat()
	if err != nil {
		return err
	}
	r := &dayReader{f: d.f, aead: d.aead, size: st.Size()}
	end, err := r.walk(func(place, []byte) {})
	if err != nil || end == r.size {
		return err
	}
	return d.f.Truncate(end)
}

var errFile = errors.New("not a trace file")

func fileKey(head []byte, key *seal.DataKey) (cipher.AEAD, error) {
	if string(head[:len(fileMagic)]) != fileMagic {
		return nil, errFile
	}
	return key.AEAD("trace", head[len(fileMagic):])
}

func (d *dayFile) append(record []byte, err error) error {
	if err != nil {
		return err
	}
	_, err = d.f.Write(record)
	return err
}

func (d *dayFile) sync() error { return d.f.Sync() }

func (d *dayFile) close(sync bool) {
	if sync {
		d.f.Sync()
	}
	d.f.Close()
}

// A place is where a block lies in its file.
type place struct {
	at     int64
	filter int
	sealed int
	events int
}

// A dayReader reads one file.
type dayReader struct {
	f    *os.File
	aead cipher.AEAD
	size int64
}

func readDay(dir, name string, key *seal.DataKey) (*dayReader, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	d := &dayReader{f: f}
	head := make([]byte, fileStart)
	_, err = io.ReadFull(f, head)
	if err == nil {
		d.aead, err = fileKey(head, key)
	}
	var st os.FileInfo
	if err == nil {
		st, err = f.Stat()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	d.size = st.Size()
	return d, nil
}

func (d *dayReader) close() { d.f.Close() }

// places gives the blocks whose filter lets pass one of the tokens, in order.
func (d *dayReader) places(tokens []uint64) (out []place, err error) {
	_, err = d.walk(func(p place, f []byte) {
		if slices.ContainsFunc(tokens, filter(f).may) {
			out = append(out, p)
		}
	})
	return out, err
}

// walk calls f with each whole block and its filter, and says where the last one ends. It
// passes over what is no block.
func (d *dayReader) walk(f func(p place, filter []byte)) (end int64, err error) {
	buf := make([]byte, 4096)
	end = int64(fileStart)
	for at := end; at+blockHeader <= d.size; {
		b := buf[:min(int64(len(buf)), d.size-at)] // header and filter mostly come in one read
		if _, err := d.f.ReadAt(b, at); err != nil {
			return end, err
		}
		p, ok := d.place(at, b)
		if !ok {
			next, err := d.search(at + 1)
			if next < 0 || err != nil {
				return end, err
			}
			at = next
			continue
		}
		if n := blockHeader + p.filter; n > len(b) {
			buf = make([]byte, n)
			if _, err := d.f.ReadAt(buf, at); err != nil {
				return end, err
			}
			b = buf
		}
		f(p, b[blockHeader:blockHeader+p.filter])
		at += int64(blockHeader + p.filter + p.sealed)
		end = at
	}
	return end, nil
}

// place reads a header; what is not one, or goes beyond the end, is damage or a torn block.
func (d *dayReader) place(at int64, head []byte) (place, bool) {
	p := place{at: at, filter: int(binary.BigEndian.Uint32(head[4:])), sealed: int(binary.BigEndian.Uint32(head[8:])),
		events: int(binary.BigEndian.Uint32(head[12:]))}
	ok := binary.BigEndian.Uint32(head) == blockMagic && p.filter >= 1 && p.filter <= maxFilter && p.sealed <= maxBlock && p.events <= maxBlock &&
		at+int64(blockHeader+p.filter+p.sealed) <= d.size
	return p, ok
}

// search is where the next block may begin, -1 for nowhere.
func (d *dayReader) search(from int64) (int64, error) {
	magic := binary.BigEndian.AppendUint32(nil, blockMagic)
	r := bufio.NewReaderSize(io.NewSectionReader(d.f, from, d.size-from), 64<<10)
	for at := from; ; {
		b, err := r.Peek(32 << 10)
		if len(b) < len(magic) {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return -1, err
		}
		if i := bytes.Index(b, magic); i >= 0 {
			return at + int64(i), nil
		}
		n, _ := r.Discard(len(b) - len(magic) + 1)
		at += int64(n)
	}
}

// open gives the events of a block. A block that is damaged has none.
func (d *dayReader) open(p place) ([]byte, error) {
	record := make([]byte, blockHeader+p.filter+p.sealed)
	if _, err := d.f.ReadAt(record, p.at); err != nil {
		return nil, err
	}
	if blockSum(record) != binary.BigEndian.Uint32(record[16:]) {
		return nil, nil
	}
	filter := record[blockHeader : blockHeader+p.filter]
	packed, err := d.aead.Open(nil, nil, record[blockHeader+p.filter:], filter)
	if err != nil {
		return nil, nil
	}
	dec, err := decoder()
	if err != nil {
		return nil, err
	}
	events, err := dec.DecodeAll(packed, make([]byte, 0, p.events))
	if err != nil {
		return nil, nil
	}
	return events, nil
}
