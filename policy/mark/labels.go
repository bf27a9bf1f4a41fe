package mark

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"sampul/policy/extract"
)

var (
	// strongKeys are names of fields that mean nothing else, also behind "X-".
	strongKeys = regexp.MustCompile(`^(?:X )?` + label + `$`)
	labelKeys  = regexp.MustCompile(`^` + anyOf("fields", "labels") + `$`)
	looseKeys  = regexp.MustCompile(`^` + anyOf("fields", "loose") + `$`)
	marking    = regexp.MustCompile(`(?:^|[,;\s\[])SEC\s*=\s*` + class + `\b`)
	msipKey    = regexp.MustCompile(`MSIP_LABEL_([0-9A-F-]+)_([A-Z]+)\s*[=:]\s*([^;]*)`)
	// named is a class at the beginning or end of a label's name, with what parts the levels of
	// such names: "Sulit\Semua kakitangan", "Confidential - All employees".
	namedFirst = regexp.MustCompile(`^[^\pL\pN]*` + before + class + `(?:\s*[\\/|:(\-–—>].*)?$`)
	namedLast  = regexp.MustCompile(`[\\/|>:]\s*` + class + `\s*$`)
	// boldonJames names the class in attributes of elements.
	boldonJames = regexp.MustCompile(`(?:UID|VALUE|ID)\s*=\s*["'](?:[^"']*[_. ])?` + class + `["']|CLASSIFICATION (?:IS|OF THIS ITEM IS|:)\s*` + class + `\b`)
)

// label is E1: a header field or property that names the class.
func (p *part) label(u *unit) {
	key, value, ok := strings.Cut(u.upper, ":")
	if !ok {
		return
	}
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	spelledKey := strings.ToUpper(spelled(u.caps[:min(len(key), len(u.caps))]))
	if key == "MSIP_LABELS" || msipKey.MatchString(u.upper) {
		p.known(u)
		return
	}
	if !labelKeys.MatchString(key) && !looseKeys.MatchString(key) && !labelKeys.MatchString(spelledKey) && !strongKeys.MatchString(spelledKey) {
		return
	}
	if m := marking.FindStringSubmatch(value); m != nil {
		p.labelled1(u, m[1], "a protective marking")
		return
	}
	if strings.HasPrefix(key, "BJ") || strings.Contains(value, "<SISL") {
		if m := boldonJames.FindStringSubmatch(value); m != nil {
			p.labelled1(u, m[1]+m[2], "a label names the class")
			return
		}
	}
	loose := looseKeys.MatchString(key)
	for _, v := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ';' }) {
		word := p.named(strings.TrimSpace(v), loose)
		if word == "" {
			continue
		}
		if loose && (asWritten(u.caps[min(len(key), len(u.caps)):], word) != capitals || words[word] <= Terhad && len(v) < len(value)) {
			p.add(u, "E1", word, 0, "N3: not in capitals, in a property that may hold anything")
			continue
		}
		p.labelled1(u, word, "a label names the class")
	}
}

func (p *part) labelled1(u *unit, word, why string) {
	f := p.add(u, "E1", word, weights["E1"], why)
	p.open = p.open || f.Class == Terbuka && u.Place == extract.Metadata
}

// named is the class that a label's value names, "" for none.
func (p *part) named(v string, loose bool) string {
	if m := markUnit.FindStringSubmatch(v); m != nil && !several(v) && m[inNoun] == "" {
		return m[inClass]
	}
	if m := fieldUnit.FindStringSubmatch(v); m != nil && !several(v) {
		return m[inClass+2]
	}
	if loose || several(v) {
		return ""
	}
	if m := namedFirst.FindStringSubmatch(v); m != nil {
		return m[2]
	}
	if m := namedLast.FindStringSubmatch(v); m != nil {
		return m[1]
	}
	return ""
}

// A msip is a label of Microsoft's information protection.
type msip struct {
	name, site string
	off        bool
	unit       *unit // its first key
}

// known reads labels of Microsoft's information protection: in a header field all at once,
// in properties each key by itself. One that is not enabled counts for nothing; of others
// the administrator's table decides, and where it is silent the name.
func (p *part) known(u *unit) {
	text := u.upper
	if text == "" {
		text, _ = normal(u.Text)
	}
	if !strings.Contains(strings.ReplaceAll(text, " ", ""), "MSIP_LABEL") {
		return
	}
	if u.Place != extract.Metadata {
		own := map[string]*msip{}
		gather(own, u, text)
		for _, id := range slices.Sorted(maps.Keys(own)) {
			p.msip(id, own[id])
		}
		return
	}
	if p.msips == nil {
		p.msips = map[string]*msip{}
		for i := range p.units {
			if o := &p.units[i]; o.Place == extract.Metadata {
				gather(p.msips, o, p.around(i))
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.msips)) {
		if l := p.msips[id]; l.unit == u {
			p.msip(id, l)
		}
	}
}

// gather adds the keys of one unit.
func gather(into map[string]*msip, u *unit, text string) {
	if !strings.Contains(text, "MSIP_") {
		return
	}
	for _, m := range msipKey.FindAllStringSubmatch(broken.ReplaceAllString(text, "MSIP_LABEL_$1"), 60) {
		id, key, value := m[1], m[2], strings.TrimSpace(m[3])
		l := into[id]
		if l == nil {
			l = &msip{unit: u}
			into[id] = l
		}
		switch key {
		case "NAME":
			l.name = value
		case "SITEID":
			l.site = strings.ReplaceAll(value, " ", "")
		case "ENABLED":
			l.off = strings.EqualFold(strings.ReplaceAll(value, " ", ""), "false")
		}
	}
}

// broken is a key that folding of the header field has broken.
var broken = regexp.MustCompile(`MSIP_\s*LABEL_\s*([0-9A-F-]+)`)

func (p *part) msip(id string, l *msip) {
	low := strings.ToLower(id)
	c, ok := p.set.Labels[strings.ToLower(l.site)+"/"+low]
	if !ok {
		c, ok = p.set.Labels["*/"+low]
	}
	word := p.named(l.name, false)
	if ok {
		word = c.String()
	}
	switch {
	case word == "":
	case l.off:
		p.add(l.unit, "E1", word, 0, "the label is not enabled")
	case ok:
		p.labelled1(l.unit, word, "a sensitivity label, by the administrator's table")
	default:
		p.labelled1(l.unit, word, "a sensitivity label, by its name")
	}
}

func trimExt(name string) string {
	if ext := path.Ext(name); len(ext) <= 6 && !strings.Contains(ext, " ") {
		return strings.TrimSuffix(name, ext)
	}
	return name
}
