package mark

import (
	"regexp"
	"strings"

	"sampul/policy/extract"
)

var (
	replyWords = `(?:RE|FW|FWD|BLS|BALAS|BALASAN|AW|WG|TR|SV|VS|MAJU|MAJUKAN|PANJANG|TERUSKAN|RES|ENC|INV)`
	replyStart = regexp.MustCompile(`^(?:` + replyWords + `\s*(?:\[\d+\]|\(\d+\)|\^\d+)?\s*:\s*)+`)
	// opening and closing brackets of a tag.
	opening, closing = `[\[{<«【〔〈《「『]`, `[\]}>»】〕〉》」』]`
	tagBracket       = regexp.MustCompile(opening + `[^\pL\pN\[\]{}<>]*(?:(?:` + anyLabel + `|KLAS|MARKING)\s*[:=\s]\s*)?` + before + class + `\b([^\[\]{}<>«»【】〔〕]*)` + closing)
	otherBracket     = regexp.MustCompile(`^(?:` + opening + `[^\[\]{}<>«»【】〔〕]{1,40}` + closing + `|\([^()]{1,20}\))\s*`)
	tagStart         = regexp.MustCompile(`^\s*(?:[(*"'#\-=~>!\[]|[^\x00-\x7f\pL\pN])*\s*` + before + class + behind + `[)*"'#\]!]*(\s*:+|\s*(?:--?|–|—|/|\\|\||>+|::|»|•|·|~)\s|\s*\|+|\s*//+|\s?[*~=#+]+\s|\s*[^\x00-\x7f\pL\pN\pP\s]+\s|_|\))\s*(\S.*)$`)
	tagEnd           = regexp.MustCompile(`(?:^|[\s_\-.,:])(?:\(\s*` + class + `\s*\)|` + opening + `\s*` + class + `\s*` + closing + `|#` + class + `|(?:[-–—|/]+|::)\s*` + class + `)\W*$`)
	hashTag          = regexp.MustCompile(`(?:^|\s)#` + class + `\b`)
	nameClass        = strings.ReplaceAll(class, " ?", "[ _.+-]?")
	nameStart        = regexp.MustCompile(`^[\s(\[{*_\-#=~+]*` + nameClass + `([)\]}*]*\s*[_\-–—.+~=,]+\s*|[)\]}]\s*|\s+)(\S.*)?$`)
	nameEnd          = regexp.MustCompile(`[_+~]` + nameClass + `$`)
	subjectLine      = regexp.MustCompile(`^\W*(?:SUBJECT|SUBJEK|PERKARA)\W*:\s*(.*)$`)
	// fieldStart is a field at the beginning of a subject: "Peringkat: SULIT - Laporan".
	fieldStart = regexp.MustCompile(`^\W*(?:` + label + `)\s*[:=]\s*` + deco + before + class + `\s*(?:[-–—|/,;)\]]+\s|[)\]|]).*$`)
	// inBrackets is a class in round brackets inside a subject; beforeDash one that a hyphen parts.
	inBrackets = regexp.MustCompile(`\(\s*` + class + `\s*\)\s*\S`)
	beforeDash = regexp.MustCompile(`^` + class + `[-–—](\S.*)$`)
	// about are words before a tag in the middle of a subject that make it a topic.
	about = regexp.MustCompile(`\b(?:MAKSUD|TAG|TANDA|LABEL|CARA|PANDUAN|GUNA|PENGGUNAAN|MENGGUNAKAN|LETAK|MELETAKKAN|HOW|USING|MEANING|DISEKAT|BLOCKED|BERTANDA|MARKED)\b`)
	// tagTail is what may stand in a tag behind the class.
	tagTail = regexp.MustCompile(`^[^\pL\pN?&%$]*(?:[,/:;|\-–—(&+].*|(?:NO\.? )?SALINAN .*|COPY .*|UNTUK .*|HINGGA .*|SEHINGGA .*|DRAF.*)?$`)
)

// subject is E2 and E10, and the declaration that a message is open.
func (p *part) subject(u *unit) {
	p.title(u, u.upper, u.caps, p.Path == "header" && u.Where == "subject")
}

// title asks the rules for subjects of a text; declares says that it may declare the message
// open. Only who sends the message declares: no quoted or enclosed subject.
func (p *part) title(u *unit, upper, caps string, declares bool) {
	rest := tagsAside(upper)
	found := p.brackets(u, upper, declares)
	if m := markUnit.FindStringSubmatch(rest); m != nil && !several(rest) {
		if found || m[inNoun] != "" || asWritten(caps, m[inClass]) != capitals || numbered.MatchString(rest) {
			return
		}
		p.add(u, "E2", m[inClass], weights["E2"], "the subject is the mark")
		return
	}
	if m := tagStart.FindStringSubmatch(rest); m != nil {
		word, sep, goes := m[2], m[4], m[5]
		c := words[word]
		written := asWritten(caps, word)
		switch {
		case several(word + m[3]):
			p.add(u, "E10", word, 0, "N1: several classes in one tag")
		case leading.MatchString(goes) && several(word+" "+goes):
			p.add(u, "E10", word, 0, "N1: a list of classes")
		case everyday.MatchString(goes) && !officeIn(goes):
			p.add(u, "E10", word, 0, "N4: a fixed phrase")
		case newsletter.MatchString(goes) && written == capitals && c >= Rahsia:
			p.add(u, "E10", word, weights["E10 doubt"], "the subject begins with the class, and goes on as a newsletter would")
		case newsletter.MatchString(goes), c == Terhad && offer.MatchString(goes):
			p.add(u, "E10", word, 0, "N4: a newsletter")
		case strings.Contains(sep, ")") && written == capitals:
			p.add(u, "E2", word, weights["E2"], "the subject begins with the class in brackets")
		case written == capitals:
			p.add(u, "E10", word, weights["E10"], "the subject begins with the class")
		case written == title && c >= Rahsia && strings.Contains(sep, ":"):
			p.add(u, "E10", word, weights["E10 low"], "the subject begins with the class, not in capitals")
		}
		return
	}
	if m := beforeDash.FindStringSubmatch(rest); m != nil && !several(rest) && asWritten(caps, m[1]) == capitals && office.MatchString(m[2]) {
		p.add(u, "E10", m[1], weights["E10"], "the subject begins with the class")
		return
	}
	if at := inBrackets.FindStringSubmatchIndex(upper); at != nil && !several(upper) && caps != upper {
		word := upper[at[2]:at[3]]
		if ahead := upper[:at[0]]; words[word] >= Sulit && asWritten(caps, word) == capitals && officeIn(ahead) && !about.MatchString(ahead) {
			p.add(u, "E2", word, weights["E2 end"], "the class in brackets behind what the subject is of")
			return
		}
	}
	if m := hashTag.FindStringSubmatch(upper); m != nil && !several(upper) && asWritten(caps, m[1]) == capitals && words[m[1]] >= Sulit && !english[m[1]] {
		p.add(u, "E2", m[1], weights["E2 end"], "the class as a hash tag")
		return
	}
	if !found {
		p.ending(u, upper, caps, "the subject ends with the class")
	}
	if m := fieldUnit.FindStringSubmatch(rest); m != nil && m[1] != "" && !several(rest) {
		p.add(u, "E5", m[inClass+2], weights["E5"], "a field names the class")
	} else if m := fieldStart.FindStringSubmatch(rest); m != nil && !several(rest) && (asWritten(caps, m[2]) == capitals || strings.HasPrefix(rest, "(")) {
		p.add(u, "E5", m[2], weights["E5"], "the subject begins with a field that names the class")
	}
}

// tagsAside is a subject without what mail programs and gateways put before it.
func tagsAside(upper string) string {
	rest := strings.TrimSpace(upper)
	for range 20 {
		if m := replyStart.FindString(rest); m != "" {
			rest = strings.TrimSpace(rest[len(m):])
			continue
		}
		m := otherBracket.FindString(rest)
		if m == "" || hasStem(strings.Replace(m, "TERBUKA", "", 1)) {
			break
		}
		rest = strings.TrimSpace(rest[len(m):])
	}
	return rest
}

// brackets finds tags in brackets anywhere in a subject.
func (p *part) brackets(u *unit, upper string, declares bool) (found bool) {
	all := tagBracket.FindAllStringSubmatchIndex(upper, 10)
	seen := map[Class]bool{}
	for _, m := range all {
		if c := words[upper[m[4]:m[5]]]; c != Terbuka {
			seen[c] = true
		}
	}
	for _, m := range all {
		whole, word, tail := upper[m[0]:m[1]], upper[m[4]:m[5]], upper[m[6]:m[7]]
		found = found || words[word] != Terbuka
		switch {
		case several(whole):
			p.add(u, "E2", word, 0, "N1: several classes in one tag")
			continue
		case !tagTail.MatchString(tail) || act.MatchString(tail):
			p.add(u, "E2", word, 0, "N3: words in brackets, not a tag")
			continue
		}
		f := p.add(u, "E2", word, weights["E2"], "a tag in the subject")
		switch ahead := upper[:m[0]]; {
		case f.Class == Terbuka:
			p.declared = p.declared || declares
			f.Weight, f.Why = 0, "declared open"
		case len(seen) > 1 && strings.TrimSpace(tagsAside(ahead)) != "":
			f.Weight, f.Why = 0, "N1: several tags, in a sentence"
		case about.MatchString(ahead):
			f.Weight += weights["N6"]
			f.Why += "; N6: a topic"
		}
	}
	return found
}

// ending is "(RAHSIA)" at the end. In title case it may be part of a name, save for the
// classes that are never allowed.
func (p *part) ending(u *unit, upper, caps, why string) {
	m := tagEnd.FindStringSubmatch(upper)
	if m == nil || several(m[0]) {
		return
	}
	word, bracketed := "", true
	for i, w := range m[1:] {
		if w != "" {
			word, bracketed = w, i < 2
		}
	}
	written := asWritten(caps, word)
	if caps == upper && !bracketed { // everything is in capitals: no stamp
		written = lower
	}
	c := words[word]
	switch {
	case !bracketed && (written != capitals || c < Sulit):
	case bracketed && (written == capitals || written == title && c >= Rahsia):
		p.add(u, "E2", word, weights["E2"], why+", in brackets")
	case !bracketed:
		p.add(u, "E2", word, weights["E2 end"], why+" behind a dash")
	}
}

// fileName is E2 for names of files and sheets.
func (p *part) fileName(u *unit) {
	name := trimExt(u.caps)
	upper := strings.ToUpper(name)
	if m := tagBracket.FindStringSubmatch(strings.ReplaceAll(upper, "_", " ")); m != nil && !several(m[0]) && tagTail.MatchString(m[3]) {
		p.add(u, "E2", m[2], weights["E2"], "a tag in the name")
		return
	}
	spaced := strings.NewReplacer("_", " ", "+", " ", "%20", " ").Replace(upper)
	if m := markUnit.FindStringSubmatch(spaced); m != nil && !several(spaced) {
		switch {
		case p.sheets() > 1:
			p.add(u, "E2", m[inClass], 0, "N1: sheets that are named by the classes")
		case act.MatchString(m[inBehind]) || m[inNoun] != "":
			p.add(u, "E2", m[inClass], 0, "N3: a name")
		case asWritten(name, m[inClass]) == capitals || strings.Contains(u.caps, "("):
			p.add(u, "E2", m[inClass], weights["E2"], "the name is the mark")
		default:
			p.add(u, "E2", m[inClass], 0, "N3: a name, not in capitals")
		}
		return
	}
	if m := nameStart.FindStringSubmatch(upper); m != nil && m[3] != "" {
		p.nameBegins(u, name, upper, m)
		return
	}
	if m := nameEnd.FindStringSubmatch(upper); m != nil && words[classIn(m[1])] >= Sulit && !english[classIn(m[1])] && asWritten(name, m[1]) == capitals && name != upper && !several(spaced) {
		p.add(u, "E2", classIn(m[1]), weights["E2 weak"], "the name ends with the class")
		return
	}
	p.ending(u, strings.ReplaceAll(upper, "_", " "), strings.ReplaceAll(name, "_", " "), "the name ends with the class")
}

// classIn is the class word as it stands in a name, with blanks.
func classIn(name string) string {
	return strings.NewReplacer("_", " ", ".", " ", "+", " ", "-", " ").Replace(name)
}

// nameBegins is a file name that begins with the class: m are the groups of nameStart.
func (p *part) nameBegins(u *unit, name, upper string, m []string) {
	word, sep := classIn(m[1]), m[2]
	goes := strings.NewReplacer("_", " ", "-", " ", ".", " ", "+", " ").Replace(strings.TrimLeft(m[3], " _-.+"))
	blank := strings.TrimSpace(sep) == ""
	written := asWritten(name, m[1])
	goesWritten := name[len(name)-min(len(m[3]), len(name)):]
	bracket := strings.ContainsAny(sep, ")]}")
	switch {
	case several(strings.ReplaceAll(upper, "_", " ")):
		p.add(u, "E2", word, 0, "N1: several classes in one name")
	case everyday.MatchString(goes), act.MatchString(goes) && !bracket, newsletter.MatchString(goes):
		p.add(u, "E2", word, 0, "N4: a fixed phrase")
	case words[word] < Rahsia && sentence.MatchString(goes) && !bracket && !strings.ContainsAny(sep, "-–—"):
		p.add(u, "E2", word, 0, "N4: the word in its everyday sense")
	case written != capitals && !bracket:
		f := p.add(u, "E2", word, 0, "N3: a name, not in capitals")
		if !blank && words[word] >= Rahsia && !english[word] && office.MatchString(goes) {
			f.Weight, f.Why = weights["E2 weak"], "the name begins with the class, not in capitals"
		}
	case blank && strings.ToUpper(goesWritten) == goesWritten && !office.MatchString(goes):
		p.add(u, "E2", word, 0, "N3: a name in capitals throughout")
	default:
		p.add(u, "E2", word, weights["E2"], "the name begins with the class")
	}
}

// sheets is how many classes sheets or tables of the part are named by.
func (p *part) sheets() int {
	seen := map[Class]bool{}
	for i := range p.units {
		if o := &p.units[i]; o.stem && o.Place == extract.FileName {
			if m := o.isMark(); m != nil {
				seen[words[m[inClass]]] = true
			}
		}
	}
	return len(seen)
}

// forwarded is the subject of a message that was forwarded in the text: it counts as one.
func (p *part) forwarded(u *unit) bool {
	m := subjectLine.FindStringSubmatchIndex(u.upper)
	if m == nil || len(u.upper) != len(u.caps) {
		return false
	}
	n := len(p.found)
	p.title(u, u.upper[m[2]:m[3]], u.caps[m[2]:m[3]], false)
	return len(p.found) > n
}

// tagged is "[RAHSIA] Minit mesyuarat" as a line of text at the head or foot.
func (p *part) tagged(i int, u *unit) bool {
	if !u.head && !u.foot || len(u.upper) > 300 || !strings.ContainsAny(u.upper, "[{<") && isASCII(u.upper) {
		return false
	}
	m := tagBracket.FindStringSubmatchIndex(u.upper)
	if m == nil || tagsAside(u.upper[:m[0]]) != "" {
		return false
	}
	word := u.upper[m[4]:m[5]]
	if several(u.upper) || !tagTail.MatchString(u.upper[m[6]:m[7]]) || p.written(u, word) == lower {
		return false
	}
	f := p.add(u, "E4", word, weights["E4 tag"], "a tag before a line at the head or foot")
	p.lessen(i, u, f)
	return true
}
