package extract

import (
	"bytes"
	"errors"
	"io"

	"github.com/nwaples/rardecode/v2"
)

func readRar(w *walker, a at, s *source) {
	b := w.bundle(a, "rar")
	z, err := rardecode.NewReader(bytes.NewReader(s.data), rardecode.MaxDictionarySize(smallWindow))
	if err != nil {
		b.rarFailed(a, err)
		return
	}
	for w.tick() {
		h, err := z.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			b.rarFailed(a, err)
			return
		}
		if h.LinkTarget != "" {
			b.names(a.in(label(h.LinkTarget)), h.LinkTarget)
		}
		if h.IsDir {
			b.folder(h.Name)
			continue
		}
		here, ok := b.begin(h.Name)
		if !ok {
			return
		}
		if h.Encrypted {
			b.locked(here, h.Name, h.UnPackedSize)
			continue
		}
		if h.LinkType != rardecode.LinkTypeNone {
			continue
		}
		why := error(nil)
		gaps := len(w.res.Gaps)
		more := b.read(here, h.Name, lockedReader{z, &why}, max(h.PackedSize, int64(len(s.data))), h.UnPackedSize)
		if why != nil && !errors.Is(why, io.ErrUnexpectedEOF) && !w.over {
			w.res.Gaps = w.res.Gaps[:gaps]
			b.rarFailed(here, why)
		}
		if !more {
			return
		}
	}
}

// rarFailed tells why an archive, or a file in it, can't be read.
func (b *bundle) rarFailed(here at, err error) {
	switch {
	case errors.Is(err, rardecode.ErrArchiveEncrypted), errors.Is(err, rardecode.ErrArchivedFileEncrypted), errors.Is(err, rardecode.ErrBadPassword):
		b.locked(here, "", 0)
	case errors.Is(err, rardecode.ErrDictionaryTooLarge):
		b.w.exceed(here, "rar", "it asks for more memory than a message may")
	case errors.Is(err, rardecode.ErrMultiVolume), errors.Is(err, rardecode.ErrBadVolumeNumber):
		b.w.gap(here, "rar", Damaged, "it goes on in another file")
	default:
		b.w.gap(here, "rar", Damaged, "it cannot be unpacked")
	}
}
