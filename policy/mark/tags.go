package mark

import (
	"regexp"
	"strings"
)

// subject is E2 and E10, and the declaration that a message is open.
func (p *part) subject(u *unit) {
	upper := u.upper
	if m := replyPrefix.FindString(upper); m != "" {
		upper = upper[len(m):]
	}
	rest := upper
	for {
		rest = strings.TrimSpace(rest)
		if m := replyPrefix.FindString(rest); m != "" {
			rest = rest[len(m):]
			continue
		}
		i := strings.IndexByte(rest, ']')
		if !strings.HasPrefix(rest, "[") || i < 0 || i > 40 || hasStem(strings.Replace(rest[:i], "TERBUKA", "", 1)) {
			break
		}
		rest = rest[i+1:]
	}
	for _, m := range tagBracket.FindAllStringSubmatch(upper, 10) {
		if len(classes(m[0])) > 1 {
			p.add(u, "E2", m[1], 0, "N1: several classes in one tag")
			continue
		}
		if !tagTail.MatchString(m[2]) {
			p.add(u, "E2", m[1], 0, "N3: words in brackets, not a tag")
			continue
		}
		f := p.add(u, "E2", m[1], wTag, "a tag in the subject")
		if f.Class == Terbuka {
			// Only who sends the message declares: no quoted or enclosed subject.
			p.declared = p.declared || p.Path == "header" && u.Where == "subject"
			f.Weight = 0
			f.Why = "declared open"
		}
	}
	if m := markUnit.FindStringSubmatch(rest); m != nil && !several(rest) && asWritten(u.caps, m[1]) == capitals {
		p.add(u, "E2", m[1], wTag, "the subject is the mark")
		return
	}
	if m := tagStart.FindStringSubmatch(rest); m != nil && !several(m[1]+" "+m[3]) {
		switch {
		case everyday.MatchString(m[3]):
			p.add(u, "E10", m[1], 0, "N4: a fixed phrase")
		case asWritten(u.caps, m[1]) == capitals:
			p.add(u, "E10", m[1], wColon, "the subject begins with the class")
		case asWritten(u.caps, m[1]) == title && words[m[1]] >= Rahsia:
			p.add(u, "E10", m[1], wColonLow, "the subject begins with the class, not in capitals")
		}
		return
	}
	p.ending(u, upper, "the subject ends with the class in brackets")
	if m := fieldUnit.FindStringSubmatch(rest); m != nil && !several(rest) {
		p.add(u, "E5", m[1], wField, "a field names the class")
	}
}

// tagTail is what may stand in a tag behind the class.
var tagTail = regexp.MustCompile(`^\s*(?:[,/:;|\-–—].*|SALINAN .*|COPY .*)?$`)

// ending is "(RAHSIA)" at the end. In title case it may be part of a name, save for the
// classes that are never allowed.
func (p *part) ending(u *unit, upper, why string) {
	m := tagEnd.FindStringSubmatch(upper)
	if m == nil {
		return
	}
	word, bracketed := "", true
	for i, w := range m[1:] {
		if w != "" {
			word, bracketed = w, i < 2
		}
	}
	written := asWritten(u.caps, word)
	if all := u.caps == u.upper; all && !bracketed { // everything is in capitals: no stamp
		written = lower
	}
	c := words[word]
	switch {
	case !bracketed && (written != capitals || c < Rahsia):
	case written == capitals, written == title && c >= Rahsia:
		weight := wTag
		if !bracketed {
			weight = wColon
		}
		p.add(u, "E2", word, weight, why)
	}
}

// fileName is E2 for names of files and sheets.
func (p *part) fileName(u *unit) {
	name := trimExt(u.caps)
	upper := strings.ToUpper(name)
	if m := tagBracket.FindStringSubmatch(upper); m != nil && len(classes(m[0])) == 1 {
		p.add(u, "E2", m[1], wTag, "a tag in the name")
		return
	}
	spaced := strings.NewReplacer("_", " ").Replace(upper)
	if m := markUnit.FindStringSubmatch(spaced); m != nil && !several(spaced) {
		if asWritten(name, m[1]) == capitals || strings.Contains(u.caps, "(") {
			p.add(u, "E2", m[1], wTag, "the name is the mark")
		} else {
			p.add(u, "E2", m[1], 0, "N3: a name, not in capitals")
		}
		return
	}
	if m := nameStart.FindStringSubmatch(upper); m != nil && m[3] != "" {
		rest := strings.TrimLeft(m[3], " _-.")
		restWritten := name[len(name)-min(len(m[3]), len(name)):]
		switch {
		case len(classes(upper)) > 1:
			p.add(u, "E2", m[1], 0, "N1: several classes in one name")
		case everyday.MatchString(strings.NewReplacer("_", " ", "-", " ").Replace(rest)):
			p.add(u, "E2", m[1], 0, "N4: a fixed phrase")
		case asWritten(name, m[1]) != capitals && !strings.ContainsAny(m[2], ")]"):
			p.add(u, "E2", m[1], 0, "N3: a name, not in capitals")
		case strings.TrimSpace(m[2]) == "" && strings.ToUpper(restWritten) == restWritten:
			p.add(u, "E2", m[1], 0, "N3: a name in capitals throughout")
		default:
			p.add(u, "E2", m[1], wTag, "the name begins with the class")
		}
		return
	}
	p.ending(&unit{Unit: u.Unit, upper: upper, caps: name}, strings.ReplaceAll(upper, "_", " "), "the name ends with the class")
}

var (
	// labelKeys are properties and fields whose value is a class.
	labelKeys = regexp.MustCompile(`^(?:X-KLASIFIKASI\S*|X-MYGOV-PERINGKAT|X-PERINGKAT|X-CLASSIFICATION|X-TITUS-CLASSIFICATION|KLASIFIKASI\S*|PERINGKAT\S*|` +
		`PENGELASAN\S*|CLASSIFICATION\S*|SECURITY ?CLASSIFICATION|SENSITIVITY LABEL|LABEL|BJDOCUMENTSECURITYLABEL|BJDOCUMENTLABELXML|TITUS\S*|` +
		`MSIP_LABEL_\S*_NAME|DOCSECURITYLABEL|DARJAH\S*|TARAF\S*|KEYWORDS?|CATEGORY|CONTENTSTATUS|COMMENTS|X-PROTECTIVE-MARKING|MSIP_LABELS)$`)
	// looseKeys may hold anything: only a value that is a class and nothing else counts.
	looseKeys = regexp.MustCompile(`^(?:TITLE|SUBJECT|DESCRIPTION|KEYWORDS?|CATEGORY|CONTENTSTATUS|COMMENTS)$`)
	marking   = regexp.MustCompile(`(?:^|[,;\s])SEC\s*=\s*` + class + `\b`)
	msip      = regexp.MustCompile(`MSIP_LABEL_([0-9A-F-]+)_(NAME|ENABLED)\s*=\s*([^;]*)`)
)

// label is E1: a header field or property that names the class.
func (p *part) label(u *unit) {
	key, value, ok := strings.Cut(u.upper, ":")
	if !ok {
		return
	}
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if !labelKeys.MatchString(key) && !looseKeys.MatchString(key) {
		return
	}
	switch {
	case key == "MSIP_LABELS" || msip.MatchString(value):
		p.msip(u, value)
		return
	case marking.MatchString(value):
		p.add(u, "E1", marking.FindStringSubmatch(value)[1], wLabel, "a protective marking")
		return
	}
	loose := looseKeys.MatchString(key)
	for _, v := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ';' }) {
		v = strings.TrimSpace(v)
		m := markUnit.FindStringSubmatch(v)
		if m == nil || several(v) {
			if m = fieldUnit.FindStringSubmatch(v); m == nil {
				continue
			}
		}
		if loose && asWritten(u.caps[len(key):], m[1]) != capitals {
			p.add(u, "E1", m[1], 0, "N3: not in capitals, in a property that may hold anything")
			continue
		}
		p.add(u, "E1", m[1], wLabel, "a label names the class")
	}
}

// msip reads Microsoft's labels: one that is not enabled counts for nothing.
func (p *part) msip(u *unit, value string) {
	enabled, names := map[string]bool{}, map[string]string{}
	compact := strings.ReplaceAll(value, " ", "")
	for _, m := range msip.FindAllStringSubmatch(compact, 50) {
		if m[2] == "ENABLED" {
			enabled[m[1]] = strings.TrimSpace(m[3]) == "TRUE"
		}
	}
	for _, m := range msip.FindAllStringSubmatch(value, 50) {
		if m[2] == "NAME" {
			names[m[1]] = strings.TrimSpace(m[3])
		}
	}
	for id, name := range names {
		m := markUnit.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		if on, said := enabled[id]; said && !on {
			p.add(u, "E1", m[1], 0, "the label is not enabled")
			continue
		}
		p.add(u, "E1", m[1], wLabel, "a sensitivity label")
	}
}
