package smtpin

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"sampul/internal/message"
)

const (
	looksFor  = time.Minute // how long the list of our domains is used before it is asked again
	maxLooks  = 10000       // domains of senders whose likeness is remembered
	maxFroms  = 10          // addresses of From that are looked at
	shortName = 6           // letters: one typing error away from a shorter name are too many honest ones
)

// lookAlikes finds senders outside that imitate us: a domain that looks like one of ours,
// or a display name that shows an address, a domain or an officer of ours.
type lookAlikes struct {
	known   []string
	deps    DefenceDeps
	mu      sync.Mutex
	asked   time.Time
	ours    map[string]bool
	by      map[string]string // skeleton to domain
	long    []string          // those for which one letter more or less counts
	results map[string]string // domain of a sender to ours that it is like, "" for none
}

func newLookAlikes(known []string, deps DefenceDeps) *lookAlikes {
	return &lookAlikes{known: known, deps: deps}
}

// warnings are the values of X-Sampul-Warning for a message from outside.
func (l *lookAlikes) warnings(from string, p *message.Part) []string {
	var out []string
	add := func(w string) {
		if w != "" && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	if _, domain := splitAddress(from); domain != "" {
		add(l.domainWarning(domain))
	}
	if p == nil {
		return out
	}
	seen := 0
	for _, a := range p.Addresses("From") {
		if a.Group != message.NoGroup {
			continue
		}
		if seen++; seen > maxFroms {
			break
		}
		add(l.domainWarning(a.Host))
		add(l.nameWarning(message.DecodeHeader([]byte(a.Name)), a.Host))
	}
	return out
}

func (l *lookAlikes) domainWarning(domain string) string {
	if like := l.like(domain); like != "" {
		return "look-alike; domain=" + asciiDomain(domain) + "; like=" + like
	}
	return ""
}

// like is our domain that a sender's looks like, "" for none.
func (l *lookAlikes) like(domain string) string {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	if domain == "" || len(domain) > 255 {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refresh()
	if like, found := l.results[domain]; found {
		return like
	}
	like := l.compare(domain)
	if len(l.results) >= maxLooks {
		clear(l.results)
	}
	l.results[domain] = like
	return like
}

// refresh asks for our domains again, when the answer is old. mu is held.
func (l *lookAlikes) refresh() {
	now := l.deps.Clock()
	if l.ours != nil && now.Sub(l.asked) < looksFor {
		return
	}
	l.asked = now
	l.ours, l.by, l.long, l.results = map[string]bool{}, map[string]string{}, nil, map[string]string{}
	for _, d := range l.deps.OurDomains() {
		d = strings.ToLower(d)
		l.ours[d] = true
		l.by[skeleton(d)] = d
		if first, _, _ := strings.Cut(d, "."); len(first) >= shortName {
			l.long = append(l.long, d)
		}
	}
}

func (l *lookAlikes) compare(domain string) string {
	if l.isOurs(domain) || l.isKnown(domain) {
		return ""
	}
	for name := domain; strings.IndexByte(name, '.') > 0; _, name, _ = strings.Cut(name, ".") {
		if ours := l.by[skeleton(name)]; ours != "" {
			return ours
		}
		for _, ours := range l.long {
			if near(name, ours) {
				return ours
			}
		}
	}
	for ours := range l.ours { // agensi-a.test.jauh.test
		if strings.Contains("."+domain, "."+ours+".") {
			return ours
		}
	}
	return ""
}

// isOurs says whether a domain is ours, or below one of ours.
func (l *lookAlikes) isOurs(domain string) bool {
	for name := domain; name != ""; _, name, _ = strings.Cut(name, ".") {
		if l.ours[name] {
			return true
		}
	}
	return false
}

func (l *lookAlikes) isKnown(domain string) bool {
	return slices.ContainsFunc(l.known, func(k string) bool {
		k = strings.ToLower(k)
		below, wild := strings.CutPrefix(k, "*")
		return k == domain || wild && strings.HasSuffix(domain, below)
	})
}

var inName = regexp.MustCompile(`[\pL\pN-]+(?:\.[\pL\pN-]+)+`)

// nameWarning looks at a display name.
func (l *lookAlikes) nameWarning(name, host string) string {
	host = strings.ToLower(host)
	if name == "" || len(name) > 1000 {
		return ""
	}
	l.mu.Lock()
	l.refresh()
	inside := l.isOurs(host)
	l.mu.Unlock()
	if inside {
		return ""
	}
	for _, d := range inName.FindAllString(strings.ToLower(name), maxFroms) {
		l.mu.Lock()
		ours := l.isOurs(d)
		l.mu.Unlock()
		if ours || l.like(d) != "" {
			return "display-name; shows=" + asciiDomain(d) + "; from=" + asciiDomain(host)
		}
	}
	if l.deps.Officer != nil && l.deps.Officer(strings.Join(strings.Fields(name), " ")) {
		return "display-name; shows=officer; from=" + asciiDomain(host)
	}
	return ""
}

// asciiDomain is a domain that can stand in a header field.
func asciiDomain(d string) string {
	if a, err := idna.Punycode.ToASCII(d); err == nil {
		d = a
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == ';' {
			return '?'
		}
		return r
	}, d)
}

// skeleton is what a name looks like: letters of other scripts, accents, and figures that
// pass for letters are made the plain ones (after Unicode Technical Standard 39).
func skeleton(domain string) string {
	if u, err := idna.Punycode.ToUnicode(domain); err == nil {
		domain = u
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(domain)) {
		switch {
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r): // accents, and what nobody sees
		case r == 'i' || r == '1' || r == '|' || r == '!':
			b.WriteByte('l')
		default:
			if plain, found := confusable[r]; found {
				b.WriteString(plain)
			} else {
				b.WriteRune(r)
			}
		}
	}
	return together.Replace(b.String())
}

// together are letters that look like one.
var together = strings.NewReplacer("rn", "m", "vv", "w", "cl", "d")

// confusable are letters that look like others. "l" stands for i, l and 1.
var confusable = map[rune]string{
	'0': "o", '3': "e", '4': "a", '5': "s", '7': "t", '8': "b",
	// Cyrillic
	'а': "a", 'в': "b", 'с': "c", 'ԁ': "d", 'е': "e", 'ё': "e", 'ғ': "f", 'һ': "h", 'н': "h", 'і': "l", 'ї': "l", 'ӏ': "l",
	'ј': "j", 'к': "k", 'м': "m", 'п': "n", 'о': "o", 'р': "p", 'ԛ': "q", 'г': "r", 'ѕ': "s", 'т': "t", 'ц': "u",
	'ѵ': "v", 'ԝ': "w", 'ш': "w", 'х': "x", 'у': "y", 'ү': "y", 'з': "e", 'б': "b", 'ь': "b",
	// Greek
	'α': "a", 'β': "b", 'ε': "e", 'η': "n", 'ι': "l", 'κ': "k", 'μ': "u", 'ν': "v", 'ο': "o", 'ρ': "p", 'σ': "o",
	'τ': "t", 'υ': "u", 'χ': "x", 'γ': "y", 'ω': "w",
	// Latin
	'ı': "l", 'ł': "l", 'ɩ': "l", 'ɑ': "a", 'ɡ': "g", 'ø': "o", 'đ': "d", 'ħ': "h", 'ŧ': "t", 'ß': "b", 'æ': "ae", 'œ': "oe",
	'ʀ': "r", 'ɴ': "n", 'ᴀ': "a", 'ᴇ': "e", 'ᴏ': "o", 'ᴜ': "u", 'ꜱ': "s", 'ᴛ': "t",
	// what passes for a hyphen or a dot
	'‐': "-", '‑': "-", '‒': "-", '–': "-", '—': "-", '−': "-", '_': "-", '․': ".", '。': ".",
}

// near says whether two names differ by one letter more, less, other, or by two that
// changed places.
func near(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(y)-len(x) > 1 || slices.Equal(x, y) {
		return false
	}
	i := 0
	for i < len(x) && x[i] == y[i] {
		i++
	}
	if len(x) < len(y) {
		return slices.Equal(x[i:], y[i+1:])
	}
	if slices.Equal(x[i+1:], y[i+1:]) {
		return true
	}
	return i+1 < len(x) && x[i] == y[i+1] && x[i+1] == y[i] && slices.Equal(x[i+2:], y[i+2:])
}
