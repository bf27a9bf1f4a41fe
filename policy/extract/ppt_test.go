package extract

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// leafRecord is a record of a presentation; boxRecord is one that holds others.
func leafRecord(kind, instance int, body []byte) []byte { return pptRecord(kind, instance<<4, body) }

func boxRecord(kind, instance int, in ...[]byte) []byte {
	return pptRecord(kind, instance<<4|15, slices.Concat(in...))
}

func pptRecord(kind, head int, body []byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(head))
	b = binary.LittleEndian.AppendUint16(b, uint16(kind))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	return append(b, body...)
}

func words(n ...int) (b []byte) {
	for _, v := range n {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return b
}

// presentation makes the streams of one whose objects have the numbers 1, 2 ...; the first is
// the document. Old stands before them, and is named by nothing.
func presentation(old []byte, objects ...[]byte) []cfbFile {
	stream := slices.Clone(old)
	list := words(len(objects)<<20 | 1)
	for _, o := range objects {
		list = append(list, words(len(stream))...)
		stream = append(stream, o...)
	}
	directory := len(stream)
	stream = append(stream, leafRecord(pptDirectory, 0, list)...)
	edit := len(stream)
	stream = append(stream, leafRecord(pptEdit, 0, words(0, 0, 0, directory, 1, len(objects), 0))...)
	user := make([]byte, 24)
	le.PutUint32(user[12:], 0xe391c05f)
	le.PutUint32(user[16:], uint32(edit))
	return []cfbFile{{"PowerPoint Document", stream}, {"Current User", user}}
}

func TestPresentation(t *testing.T) {
	outline := func(instance, id int, text string) []byte {
		return boxRecord(pptList, instance, leafRecord(pptPersist, 0, words(id, 0, 0, 0, 0)), leafRecord(pptTextHeader, 0, words(0)), leafRecord(pptBytes, 0, []byte(text)))
	}
	shape := func(text string) []byte {
		return boxRecord(0xf002, 0, boxRecord(0xf004, 0, pptRecord(0xf00d, 0, leafRecord(pptChars, 0, utf16Text(text)))))
	}
	object := compoundOf(cfbFile{"Workbook", biff(globals8, end, sheet8, rec(xlsLabel, 0, 0, 0, 6, byte(0), "RAHSIA"), end)})
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	if _, err := z.Write(object); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files []cfbFile
		want  string
	}{
		"title in the outline":   {presentation(nil, boxRecord(pptDocument, 0, outline(0, 2, "RAHSIA")), boxRecord(pptSlide, 0, shape("isi"))), "heading|RAHSIA"},
		"text box":               {presentation(nil, boxRecord(pptDocument, 0, outline(0, 2, "tajuk")), boxRecord(pptSlide, 0, shape("RAHSIA"))), "paragraph|RAHSIA"},
		"lines":                  {presentation(nil, boxRecord(pptDocument, 0, outline(0, 2, "tajuk")), boxRecord(pptSlide, 0, shape("a\rRAHSIA\x0bb"))), "paragraph|RAHSIA"},
		"master":                 {presentation(nil, boxRecord(pptDocument, 0, outline(1, 2, "tajuk")), boxRecord(pptMaster, 0, shape("RAHSIA"))), "master|RAHSIA"},
		"notes":                  {presentation(nil, boxRecord(pptDocument, 0, outline(2, 2, "tajuk")), boxRecord(pptNotes, 0, shape("RAHSIA"))), "notes|RAHSIA"},
		"handout master":         {presentation(nil, boxRecord(pptDocument, 0), boxRecord(pptHandout, 0, shape("RAHSIA"))), "master|RAHSIA"},
		"slide in no list":       {presentation(nil, boxRecord(pptDocument, 0), boxRecord(pptSlide, 0, shape("RAHSIA"))), "paragraph|RAHSIA"},
		"footer of all slides":   {presentation(nil, boxRecord(pptDocument, 0, boxRecord(pptFurniture, 3, leafRecord(pptString, 2, utf16Text("RAHSIA"))))), "page-footer|RAHSIA"},
		"header of notes":        {presentation(nil, boxRecord(pptDocument, 0, boxRecord(pptFurniture, 4, leafRecord(pptString, 1, utf16Text("RAHSIA"))))), "page-header|RAHSIA"},
		"comment":                {presentation(nil, boxRecord(pptDocument, 0, outline(0, 2, "a")), boxRecord(pptSlide, 0, boxRecord(pptComment, 0, leafRecord(pptString, 0, utf16Text("orang")), leafRecord(pptString, 1, utf16Text("RAHSIA"))))), "comment|RAHSIA"},
		"comment of 2002":        {presentation(nil, boxRecord(pptDocument, 0, outline(0, 2, "a")), boxRecord(pptSlide, 0, boxRecord(pptTags, 0, boxRecord(0x138a, 0, leafRecord(pptString, 0, utf16Text("___PPT10")), leafRecord(pptLater, 0, boxRecord(pptComment, 0, leafRecord(pptString, 1, utf16Text("RAHSIA")))))))), "comment|RAHSIA"},
		"WordArt":                {presentation(nil, boxRecord(pptDocument, 0, outline(0, 2, "a")), boxRecord(pptSlide, 0, boxRecord(0xf002, 0, wordArt("RAHSIA")))), "watermark|RAHSIA"},
		"object":                 {presentation(nil, boxRecord(pptDocument, 0), leafRecord(pptObject, 0, object)), "cell|RAHSIA"},
		"compressed object":      {presentation(nil, boxRecord(pptDocument, 0), leafRecord(pptObject, 1, append(words(len(object)), packed.Bytes()...))), "cell|RAHSIA"},
		"tag":                    {presentation(nil, boxRecord(pptDocument, 0, boxRecord(pptTags, 0, boxRecord(pptTag, 0, leafRecord(pptString, 0, utf16Text("Klasifikasi")), leafRecord(pptString, 1, utf16Text("Rahsia")))))), "metadata|Klasifikasi: Rahsia"},
		"nothing names anything": {[]cfbFile{{"PowerPoint Document", slices.Concat(boxRecord(pptDocument, 0, outline(0, 2, "a")), boxRecord(pptSlide, 0, shape("RAHSIA")))}}, "paragraph|RAHSIA"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, read(t, "a.ppt", compoundOf(c.files...)), c.want) })
	}
	r := read(t, "a.ppt", compoundOf(presentation(boxRecord(pptSlide, 0, shape("LAMA")), boxRecord(pptDocument, 0, outline(0, 2, "tajuk")), boxRecord(pptSlide, 0, shape("baru")))...))
	if all := strings.Join(found(r), "\n"); strings.Contains(all, "LAMA") {
		t.Errorf("what was before the last save is read:\n%s", all)
	}
	locked := presentation(nil, boxRecord(pptDocument, 0))
	le.PutUint32(locked[1].data[12:], 0xf3d1c4df)
	oneGap(t, read(t, "a.ppt", compoundOf(locked...)), Locked)
}

func FuzzPresentation(f *testing.F) {
	files := presentation(nil, boxRecord(pptDocument, 0, boxRecord(pptList, 0, leafRecord(pptPersist, 0, words(2, 0, 0, 0, 0)))), boxRecord(pptSlide, 0, leafRecord(pptChars, 0, utf16Text("a"))))
	f.Add(files[0].data, files[1].data)
	f.Fuzz(func(t *testing.T, stream, user []byte) {
		fuzzed(t, compoundOf(cfbFile{"PowerPoint Document", stream}, cfbFile{"Current User", user}))
	})
}
