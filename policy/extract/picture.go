package extract

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
)

// pictureKinds are the kinds of pictures that are read, and those that nobody can decode.
func pictureKinds() []magic {
	of := func(name string, read func(*walker, at, *source)) kind {
		return kind{name: name, read: read, apart: true, trailer: true}
	}
	opaque := of("picture", readForeignPicture)
	return []magic{
		{bytes: "\x89PNG", kind: of("png", readPNG)},
		{bytes: "\xff\xd8\xff", kind: of("jpeg", readJPEG)},
		{bytes: "GIF8", kind: of("gif", readGIF), letters: true},
		{bytes: "II*\x00", kind: of("tiff", readTIFF)},
		{bytes: "MM\x00*", kind: of("tiff", readTIFF)},
		{off: 8, bytes: "WEBP", kind: of("webp", readWebP), letters: true},
		{bytes: "II+\x00\x08\x00", kind: opaque}, {bytes: "MM\x00+\x00\x08", kind: opaque}, // BigTIFF
		{bytes: "\x00\x00\x00\x0cjP  \r\n\x87\n", kind: opaque}, {bytes: "\xff\x4f\xff\x51", kind: opaque}, // JPEG 2000
		{bytes: "\x00\x00\x00\x0cJXL \r\n\x87\n", kind: opaque}, {bytes: "\xff\x0a", kind: opaque}, // JPEG XL
		{bytes: "\x97JB2\r\n\x1a\n", kind: opaque}, {bytes: "II\xbc\x01", kind: opaque}, // JBIG2, JPEG XR
		{bytes: "AT&TFORM", kind: opaque}, // DjVu
	}
}

// loosePicture knows pictures whose first octets say too little by themselves.
func loosePicture(b []byte) (kind, bool) {
	switch {
	case len(b) >= 26 && string(b[:2]) == "BM" && bmpHeader(b[14:]):
		return kind{name: "bmp", read: readBMP, apart: true, trailer: true}, true
	case len(b) >= 22 && (string(b[:4]) == "\x00\x00\x01\x00" || string(b[:4]) == "\x00\x00\x02\x00") && isIcon(b):
		return kind{name: "ico", read: readICO, apart: true}, true
	case len(b) >= 12 && string(b[4:8]) == "ftyp" && stillBrands[string(b[8:12])]:
		return kind{name: "heic", read: readForeignPicture, apart: true}, true
	}
	return kind{}, false
}

// stillBrands are those of pictures among the files that are made of boxes as films are
// (ISO/IEC 23008-12).
var stillBrands = map[string]bool{"heic": true, "heix": true, "heim": true, "heis": true, "mif1": true, "msf1": true, "hevc": true,
	"avif": true, "avis": true}

func bmpHeader(b []byte) bool {
	switch binary.LittleEndian.Uint32(b) {
	case 12, 40, 52, 56, 64, 108, 124:
		return true
	}
	return false
}

func isIcon(b []byte) bool {
	n := int(binary.LittleEndian.Uint16(b[4:]))
	return n > 0 && n <= 256 && len(b) >= 6+16*n && b[9] == 0
}

// A codec is how a format is read: its size first, since a few octets can claim to be
// more pixels than there is memory.
type codec struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	size   func() int64 // octets that decoding takes; nil: by the colours
}

// decodePicture decodes a picture within the budget; nil when it is too small to carry
// letters, or a gap was told.
func (w *walker) decodePicture(a at, kind string, d codec, r func() io.Reader) image.Image {
	c, err := d.config(r())
	if err != nil {
		w.gap(a, kind, Damaged, "the picture cannot be read")
		return nil
	}
	if max(c.Width, c.Height) < leastW || min(c.Width, c.Height) < leastH {
		return nil
	}
	if d.size == nil {
		d.size = func() int64 { return int64(c.Width) * int64(c.Height) * pixelSize(c.ColorModel) }
	}
	if !w.room(a, kind, c, d.size()) {
		return nil
	}
	img, err := d.decode(r())
	if err != nil {
		w.gap(a, kind, Damaged, "the picture cannot be read to its end")
		return nil
	}
	return img
}

// room says whether a picture may be decoded, and takes it from the budget.
func (w *walker) room(a at, kind string, c image.Config, size int64) bool {
	if size > w.b.Pixels {
		w.gap(a, kind, TooMuch, fmt.Sprintf("a picture of %d by %d pixels is more than can be looked at", c.Width, c.Height))
		return false
	}
	if !w.pixels(size) {
		w.gap(a, kind, TooMuch, "more pictures than can be looked at")
		return false
	}
	return w.tick()
}

// pixels counts what is decoded. It is work, and no memory that stays: a message may have
// many pictures, one after the other.
func (w *walker) pixels(n int64) bool {
	w.decoded += n
	return w.decoded <= 8*w.b.Expanded
}

// pixelSize is how many octets a pixel takes once it is decoded.
func pixelSize(m color.Model) int64 {
	switch m {
	case color.GrayModel:
		return 1
	case color.Gray16Model:
		return 2
	case color.YCbCrModel:
		return 3
	case color.RGBA64Model, color.NRGBA64Model:
		return 8
	}
	if _, ok := m.(color.Palette); ok {
		return 1
	}
	return 4
}

func readPNG(w *walker, a at, s *source) {
	p := w.part(a, "png")
	w.pngText(a, p, s.data)
	if img := w.decodePicture(a, "png", codec{config: png.DecodeConfig, decode: png.Decode}, again(s.data)); img != nil {
		w.picture(a, p, img, 0)
	}
	p.end()
}

func again(b []byte) func() io.Reader { return func() io.Reader { return bytes.NewReader(b) } }

func readJPEG(w *walker, a at, s *source) {
	p := w.part(a, "jpeg")
	w.jpegText(a, p, s.data)
	if img := w.decodePicture(a, "jpeg", codec{jpeg.DecodeConfig, jpeg.Decode, func() int64 { return jpegSize(s.data) }}, again(s.data)); img != nil {
		w.picture(a, p, img, 0)
	}
	p.end()
}

// jpegSize is what decoding takes: a progressive picture is held in coefficients of four
// octets each before it is one.
func jpegSize(b []byte) int64 {
	var size int64
	eachSegment(b, func(marker byte, body []byte) bool {
		if marker < 0xc0 || marker > 0xcf || marker == 0xc4 || marker == 0xc8 || marker == 0xcc || len(body) < 6 {
			return true
		}
		h, w, n := int64(binary.BigEndian.Uint16(body[1:])), int64(binary.BigEndian.Uint16(body[3:])), int(body[5])
		var area, most int64
		for i := range min(n, 4) {
			if len(body) < 6+3*i+3 {
				break
			}
			k := int64(body[7+3*i]>>4) * int64(body[7+3*i]&15)
			area += k
			most = max(most, k)
		}
		if size = w * h * area / max(most, 1); marker == 0xc2 {
			size *= 5
		}
		return false
	})
	return size
}

func readBMP(w *walker, a at, s *source) {
	p := w.part(a, "bmp")
	if img := w.decodePicture(a, "bmp", codec{config: bmp.DecodeConfig, decode: bmp.Decode}, again(s.data)); img != nil {
		w.picture(a, p, img, 0)
	}
	p.end()
}

// readICO reads the pictures of an icon: each is a PNG, or a BMP without its file header and
// with a mask below it.
func readICO(w *walker, a at, s *source) {
	p := w.part(a, "ico")
	for i := range int(binary.LittleEndian.Uint16(s.data[4:])) {
		e := s.data[6+16*i:]
		size, off := int64(binary.LittleEndian.Uint32(e[8:])), int64(binary.LittleEndian.Uint32(e[12:]))
		if off > int64(len(s.data)) || !w.tick() {
			continue
		}
		one := s.data[off:min(off+size, int64(len(s.data)))]
		d := codec{config: png.DecodeConfig, decode: png.Decode}
		if !bytes.HasPrefix(one, []byte("\x89PNG")) {
			if (e[0] != 0 && int(e[0]) < leastW) || len(one) < 40 {
				continue
			}
			one, d = iconBMP(one), codec{config: bmp.DecodeConfig, decode: bmp.Decode}
		}
		if img := w.decodePicture(a, "ico", d, again(one)); img != nil {
			w.picture(a, p, img, 0)
		}
	}
	p.end()
}

// iconBMP makes a file of an icon's picture: with a header, and half as high, since the mask
// is counted too.
func iconBMP(dib []byte) []byte {
	le := binary.LittleEndian
	colours := uint32(0)
	if bits := le.Uint16(dib[14:]); bits <= 8 {
		if colours = le.Uint32(dib[32:]); colours == 0 || colours > 256 {
			colours = 1 << bits
		}
	}
	out := append(make([]byte, 0, 14+len(dib)), "BM"...)
	out = le.AppendUint32(out, uint32(14+len(dib)))
	out = le.AppendUint32(out, 0)
	out = le.AppendUint32(out, 14+le.Uint32(dib)+4*colours)
	out = append(out, dib...)
	le.PutUint32(out[14+8:], le.Uint32(dib[8:])/2)
	return out
}

// readForeignPicture is for formats that nothing here decodes. A telephone's photograph of a
// page is one as well: it does not pass unread. What is written about it is read.
func readForeignPicture(w *walker, a at, s *source) {
	p := w.part(a, "picture")
	w.foreignText(a, p, s.data)
	p.end()
	w.gap(a, w.res.Files[w.current].Kind, Opaque, "a picture in a format that cannot be read; JPEG, PNG and TIFF can")
}

// gifFrames is how many pictures of an animation are read.
const gifFrames = 24

func readGIF(w *walker, a at, s *source) {
	p := w.part(a, "gif")
	defer p.end()
	g := w.gifBlocks(p, s.data)
	c, err := gif.DecodeConfig(bytes.NewReader(s.data))
	if err != nil || len(g.frames) == 0 {
		w.gap(a, "gif", Damaged, "the picture cannot be read")
		return
	}
	if max(c.Width, c.Height) < leastW || min(c.Width, c.Height) < leastH {
		return
	}
	// Each frame is decoded by itself, as a file with nothing else in it, onto what came before.
	if !w.room(a, "gif", c, 8*int64(c.Width)*int64(c.Height)) { // the canvas, a frame, and what is made of them
		return
	}
	canvas := image.NewNRGBA(image.Rect(0, 0, c.Width, c.Height))
	want := spread(len(g.frames), gifFrames)
	for i, f := range g.frames {
		if !w.tick() || !w.pixels(int64(c.Width)*int64(c.Height)) {
			return
		}
		one, err := gif.Decode(io.MultiReader(bytes.NewReader(g.head), bytes.NewReader(f), bytes.NewReader([]byte{0x3b})))
		if err != nil {
			w.gap(a, "gif", Damaged, "the picture cannot be read to its end")
			return
		}
		drawOver(canvas, one)
		if want[i] {
			w.picture(a, p, canvas, 0)
		}
	}
	if len(g.frames) > len(want) {
		w.note(a, fmt.Sprintf("of %d pictures of an animation %d were read", len(g.frames), len(want)))
	}
}

// spread chooses most of n, evenly, the first and the last among them.
func spread(n, most int) map[int]bool {
	out := map[int]bool{}
	for i := range min(n, most) {
		if n <= most {
			out[i] = true
		} else {
			out[i*(n-1)/(most-1)] = true
		}
	}
	return out
}

// drawOver draws a frame onto the canvas where it is not transparent.
func drawOver(canvas *image.NRGBA, frame image.Image) {
	b := frame.Bounds().Intersect(canvas.Rect)
	m, ok := frame.(*image.Paletted)
	if !ok {
		return
	}
	var table [256]color.NRGBA
	for i, c := range m.Palette {
		table[i&255] = color.NRGBAModel.Convert(c).(color.NRGBA)
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if c := table[m.Pix[m.PixOffset(x, y)]]; c.A > 0 {
				canvas.SetNRGBA(x, y, c)
			}
		}
	}
}

// A gifFile is an animation in pieces.
type gifFile struct {
	head   []byte   // up to the first block
	frames [][]byte // each with the control block before it
}

// gifBlocks takes an animation apart (GIF89a), and reads its comments.
func (w *walker) gifBlocks(p *writer, b []byte) gifFile {
	var g gifFile
	if len(b) < 13 {
		return g
	}
	at := 13
	if b[10]&0x80 != 0 {
		at += 3 << (b[10]&7 + 1)
	}
	if at > len(b) {
		return g
	}
	g.head = b[:at]
	start := at
	for at+2 <= len(b) && len(g.frames) < 100_000 && w.tick() {
		switch b[at] {
		case 0x21: // extension
			label := b[at+1]
			body, next := gifBlock(b, at+2, label == 0xfe || label == 0x01)
			if label != 0xf9 {
				start = next
			} else {
				start = at
			}
			if label == 0xfe || label == 0x01 && len(body) > 12 {
				p.add(Unit{Place: Metadata, Where: "comment", Text: "comment: " + plainText(body)})
			}
			at = next
		case 0x2c: // picture
			if at+10 > len(b) {
				return g
			}
			data := at + 10
			if b[at+9]&0x80 != 0 {
				data += 3 << (b[at+9]&7 + 1)
			}
			if data+1 > len(b) {
				return g
			}
			_, next := gifBlock(b, data+1, false)
			g.frames = append(g.frames, b[start:next])
			at, start = next, next
		default: // the end, or garbage
			return g
		}
	}
	return g
}

// gifBlock goes over sub-blocks from at on, and gives what they hold.
func gifBlock(b []byte, at int, keep bool) (body []byte, next int) {
	for at < len(b) {
		n := int(b[at])
		at++
		if n == 0 {
			break
		}
		end := min(at+n, len(b))
		if keep && len(body) < maxRemark {
			body = append(body, b[at:end]...)
		}
		at = end
	}
	return body, min(at, len(b))
}

// readWebP reads a picture, or each of an animation (RFC 9649): the decoder knows pictures
// alone, so frames are made into files of their own.
func readWebP(w *walker, a at, s *source) {
	p := w.part(a, "webp")
	defer p.end()
	var frames [][]byte
	w.riff(s.data, func(id string, body []byte) {
		switch id {
		case "EXIF":
			w.exifText(p, bytes.TrimPrefix(body, []byte("Exif\x00\x00")))
		case "XMP ":
			w.xmpText(a, body)
		case "ANMF":
			if len(body) > 16 {
				frames = append(frames, webpFrame(body))
			}
		}
	})
	d := codec{config: webp.DecodeConfig, decode: webp.Decode}
	if len(frames) == 0 {
		frames = [][]byte{s.data}
	}
	want := spread(len(frames), gifFrames)
	for i, f := range frames {
		if !want[i] || !w.tick() {
			continue
		}
		if img := w.decodePicture(a, "webp", d, again(f)); img != nil {
			w.picture(a, p, img, 0)
		}
	}
	if len(frames) > len(want) {
		w.note(a, fmt.Sprintf("of %d pictures of an animation %d were read", len(frames), len(want)))
	}
}

// riff calls f for each chunk.
func (w *walker) riff(b []byte, f func(id string, body []byte)) {
	for at := 12; at+8 <= len(b) && w.tick(); {
		id := string(b[at : at+4])
		size := int64(binary.LittleEndian.Uint32(b[at+4:]))
		end := min(int64(at)+8+size, int64(len(b)))
		f(id, b[at+8:end])
		at = int(min(end+size&1, int64(len(b))))
	}
}

// webpFrame is one frame of an animation as a file.
func webpFrame(anmf []byte) []byte {
	le := binary.LittleEndian
	body := anmf[16:]
	var head []byte
	if bytes.HasPrefix(body, []byte("ALPH")) {
		head = append(head, "VP8X\x0a\x00\x00\x00\x10\x00\x00\x00"...)
		head = append(head, anmf[6:12]...) // width and height, less one
	}
	out := append(make([]byte, 0, 12+len(head)+len(body)), "RIFF"...)
	out = le.AppendUint32(out, uint32(4+len(head)+len(body)))
	out = append(out, "WEBP"...)
	out = append(out, head...)
	return append(out, body...)
}
