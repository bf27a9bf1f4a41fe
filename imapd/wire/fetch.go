package wire

import "strings"

// An Item is one thing that FETCH asks for (RFC 9051 section 6.4.5).
type Item struct {
	Kind    ItemKind
	Peek    bool    // \Seen is not set
	Section Section // of BODY[], BINARY[], BINARY.SIZE[]
	Partial bool
	Offset  int64
	Count   int64
	Name    string // how the item is named in the answer, where it differs
}

// ItemKind says which item.
type ItemKind uint8

// Items.
const (
	ItemUID ItemKind = iota
	ItemFlags
	ItemInternalDate
	ItemSize
	ItemEnvelope
	ItemBody // BODY without a section: BODYSTRUCTURE without extensions
	ItemStructure
	ItemSection
	ItemBinary
	ItemBinarySize
	ItemEmailID
	ItemThreadID
	ItemSaveDate
)

// Part is the word after the part numbers of a section.
type Part uint8

// Parts of a section.
const (
	PartAll Part = iota
	PartHeader
	PartHeaderFields
	PartHeaderFieldsNot
	PartText
	PartMIME
)

// A Section is what stands between [ and ].
type Section struct {
	Path   []int
	Part   Part
	Fields []string // of HEADER.FIELDS, as they were written
}

var fetchMacros = map[string][]ItemKind{
	"ALL":  {ItemFlags, ItemInternalDate, ItemSize, ItemEnvelope},
	"FAST": {ItemFlags, ItemInternalDate, ItemSize},
	"FULL": {ItemFlags, ItemInternalDate, ItemSize, ItemEnvelope, ItemBody},
}

var plainItems = map[string]Item{
	"UID":           {Kind: ItemUID},
	"FLAGS":         {Kind: ItemFlags},
	"INTERNALDATE":  {Kind: ItemInternalDate},
	"RFC822.SIZE":   {Kind: ItemSize},
	"ENVELOPE":      {Kind: ItemEnvelope},
	"BODYSTRUCTURE": {Kind: ItemStructure},
	"EMAILID":       {Kind: ItemEmailID},
	"THREADID":      {Kind: ItemThreadID},
	"SAVEDATE":      {Kind: ItemSaveDate},
	"RFC822":        {Kind: ItemSection, Name: "RFC822"},
	"RFC822.HEADER": {Kind: ItemSection, Name: "RFC822.HEADER", Peek: true, Section: Section{Part: PartHeader}},
	"RFC822.TEXT":   {Kind: ItemSection, Name: "RFC822.TEXT", Section: Section{Part: PartText}},
}

// Items reads what FETCH asks for: a macro, an item, or a list of items.
func (r *Reader) Items() ([]Item, error) {
	c, err := r.peek()
	if err != nil {
		return nil, err
	}
	var items []Item
	one := func() error {
		it, err := r.item()
		items = append(items, it)
		return err
	}
	if c == '(' {
		if err := r.List(one); err != nil {
			return nil, err
		}
		if len(items) == 0 {
			return nil, SyntaxError("FETCH asks for nothing")
		}
		return items, nil
	}
	name, err := r.Letters()
	if err != nil {
		return nil, err
	}
	if kinds, ok := fetchMacros[name]; ok {
		for _, k := range kinds {
			items = append(items, Item{Kind: k})
		}
		return items, nil
	}
	it, err := r.itemNamed(name)
	return []Item{it}, err
}

func (r *Reader) item() (Item, error) {
	name, err := r.Letters()
	if err != nil {
		return Item{}, err
	}
	return r.itemNamed(name)
}

func (r *Reader) itemNamed(name string) (Item, error) {
	if it, ok := plainItems[name]; ok {
		return it, nil
	}
	var it Item
	switch name {
	case "BODY", "BODY.PEEK":
		it.Kind, it.Peek = ItemSection, name == "BODY.PEEK"
		if c, err := r.peek(); err != nil {
			return it, err
		} else if c != '[' {
			if it.Peek {
				return it, SyntaxError("BODY.PEEK needs a section")
			}
			it.Kind = ItemBody
			return it, nil
		}
	case "BINARY", "BINARY.PEEK":
		it.Kind, it.Peek = ItemBinary, name == "BINARY.PEEK"
	case "BINARY.SIZE":
		it.Kind, it.Peek = ItemBinarySize, true
	default:
		return it, SyntaxError("FETCH does not know " + name)
	}
	if err := r.section(&it); err != nil {
		return it, err
	}
	if it.Kind == ItemBinarySize {
		return it, nil
	}
	return it, r.partial(&it)
}

func (r *Reader) section(it *Item) error {
	if err := r.Byte('['); err != nil {
		return err
	}
	s := &it.Section
	for {
		c, err := r.peek()
		if err != nil {
			return err
		}
		if c < '0' || c > '9' {
			break
		}
		n, err := r.Number()
		if err != nil {
			return err
		}
		if n == 0 || len(s.Path) >= maxDepth {
			return SyntaxError("there is no such part number")
		}
		s.Path = append(s.Path, int(n))
		if c, err = r.peek(); err != nil {
			return err
		}
		if c != '.' {
			return r.Byte(']')
		}
		if _, err := r.next(); err != nil {
			return err
		}
		if c, err = r.peek(); err != nil {
			return err
		} else if c < '0' || c > '9' {
			return r.sectionText(it, true)
		}
	}
	if c, err := r.peek(); err != nil {
		return err
	} else if c == ']' {
		return r.Byte(']')
	}
	return r.sectionText(it, false)
}

// sectionText reads HEADER, TEXT and their like, and the ].
func (r *Reader) sectionText(it *Item, inPart bool) error {
	if it.Kind != ItemSection {
		return SyntaxError("BINARY takes part numbers alone")
	}
	name, err := r.Letters()
	if err != nil {
		return err
	}
	s := &it.Section
	switch {
	case name == "HEADER":
		s.Part = PartHeader
	case name == "TEXT":
		s.Part = PartText
	case name == "MIME" && inPart:
		s.Part = PartMIME
	case name == "HEADER.FIELDS" || name == "HEADER.FIELDS.NOT":
		s.Part = PartHeaderFields
		if strings.HasSuffix(name, "NOT") {
			s.Part = PartHeaderFieldsNot
		}
		if err := r.SP(); err != nil {
			return err
		}
		err := r.List(func() error {
			f, err := r.AString()
			s.Fields = append(s.Fields, f)
			return err
		})
		if err != nil {
			return err
		}
		if len(s.Fields) == 0 {
			return SyntaxError("a list of header fields is empty")
		}
	default:
		return SyntaxError("there is no section " + name)
	}
	return r.Byte(']')
}

// partial reads <offset.count>, where it stands.
func (r *Reader) partial(it *Item) error {
	c, err := r.peek()
	if err != nil || c != '<' {
		return err
	}
	if _, err := r.next(); err != nil {
		return err
	}
	it.Partial = true
	if it.Offset, err = r.Number64(); err != nil {
		return err
	}
	if err := r.Byte('.'); err != nil {
		return err
	}
	if it.Count, err = r.Number64(); err != nil {
		return err
	}
	if it.Count == 0 {
		return SyntaxError("a partial fetch of nothing")
	}
	return r.Byte('>')
}
