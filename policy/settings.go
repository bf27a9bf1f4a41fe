package policy

import (
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sampul/policy/mark"
	"sampul/store"
)

// Policies tells what agencies have said of policy; a store does. A set never changes:
// what is handed out anew holds for the next message.
type Policies interface {
	Policy() *store.PolicySet
}

// Fixed is a set that does not change, for checks of files.
func Fixed(set *store.PolicySet) Policies { return fixed{set} }

type fixed struct{ set *store.PolicySet }

func (f fixed) Policy() *store.PolicySet { return f.set }

// rules are a set made ready for messages.
type rules struct {
	set      *store.PolicySet
	version  string // of what is built in and of the set; it stands beside each verdict
	asks     bool   // a rule is on somewhere
	agencies map[string]*agencyRules
	suite    *agencyRules // nil for none
}

// agencyRules are what one agency adds to what is built in, or asks for less.
type agencyRules struct {
	agency      string               // "" is what is built in
	settings    store.PolicySettings // as they were set; limits are what follows
	rules       []*rule              // those that are on
	kinds       []fileKind
	permissions map[string]time.Time // until when; zero is for ever
	limits
}

// limits are settings with what is built in where nothing is set.
type limits struct {
	size                       int64 // of attachments, in octets
	count                      int   // 0 is any
	executable, macros, double Action
	noSecret, noUnread         bool // from the Internet
}

func limitsOf(s *store.PolicySettings) limits {
	handling := func(s string, builtin Action) Action {
		if a, err := ParseAction(s); err == nil {
			return a
		}
		return builtin
	}
	l := limits{size: store.MaxAttachments, count: s.AttachmentCount, executable: handling(s.Executables, Reject),
		macros: handling(s.Macros, Tag), double: handling(s.DoubleExtension, Reject),
		noSecret: s.InternetSecret == "refuse", noUnread: s.InternetUnread == "refuse"}
	if s.AttachmentMax > 0 {
		l.size = min(l.size, s.AttachmentMax)
	}
	return l
}

type fileKind struct {
	name, extension string
	magic           []byte
}

// builtin is what holds where no agency has said anything.
var builtin = &agencyRules{limits: limitsOf(&store.PolicySettings{})}

// of gives what holds for an agency, also for one that has said nothing.
func (r *rules) of(agency string) *agencyRules {
	if a := r.agencies[agency]; a != nil {
		return a
	}
	return builtin
}

// A rulebook holds the set that was made ready last.
type rulebook struct {
	now      atomic.Pointer[rules]
	mu       sync.Mutex
	programs map[programKey]*rule
}

type programKey struct {
	agency, name string
	version      int
}

var noRules = &rules{set: &store.PolicySet{}, version: RuleSet}

// current makes a new set ready before the first message that it holds for.
func (e *Engine) current() *rules {
	if e.o.Policies == nil {
		return noRules
	}
	set := e.o.Policies.Policy()
	if r := e.book.now.Load(); r != nil && r.set == set {
		return r
	}
	e.book.mu.Lock()
	defer e.book.mu.Unlock()
	was := e.book.now.Load()
	if was != nil && (was.set == set || was.set.Seq > set.Seq) { // another message was faster, and has a newer one
		return was
	}
	r := e.ready(set)
	if set.LabelsSeq != 0 && (was == nil || was.set.LabelsSeq != set.LabelsSeq) {
		e.o.Inspector.SetMarks(markSettings(set))
	}
	e.book.now.Store(r)
	return r
}

// ready compiles what is new. What is not loaded any more stands in the way of mail: a
// rule that is skipped would let pass what it is for.
func (e *Engine) ready(set *store.PolicySet) *rules {
	out := &rules{set: set, version: RuleSet, agencies: make(map[string]*agencyRules, len(set.Agencies))}
	if set.Seq > 0 {
		out.version = fmt.Sprintf("%s+%d", RuleSet, set.Seq)
	}
	kept := map[programKey]*rule{}
	for name, p := range set.Agencies {
		a := &agencyRules{agency: name, settings: p.Settings, permissions: map[string]time.Time{}, limits: limitsOf(&p.Settings)}
		for _, r := range p.Rules {
			if r.Off {
				continue
			}
			k := programKey{name, r.Name, r.Version}
			c := e.book.programs[k]
			if c == nil {
				var err error
				if c, err = compile(r); err != nil {
					e.o.Log.Error("a rule does not load: mail that it is for is put off", "agency", name, "rule", r.Name, "version", r.Version, "err", err)
				}
			}
			kept[k] = c
			a.rules, out.asks = append(a.rules, c), true
		}
		for _, k := range p.Kinds {
			if magic, err := hex.DecodeString(k.Magic); err == nil && len(magic) > 0 {
				a.kinds = append(a.kinds, fileKind{k.Name, k.Extension, magic})
			}
		}
		for _, q := range p.Permissions {
			a.permissions[q.Address] = q.Until
		}
		if name == store.Suite {
			out.suite = a
		}
		out.agencies[name] = a
	}
	e.book.programs = kept
	return out
}

// SameRules says whether one answer to a message from outside serves recipients of both
// agencies: neither asks for more than the other.
func (e *Engine) SameRules(a, b string) bool {
	if a == b {
		return true
	}
	r := e.current()
	x, y := r.of(a), r.of(b)
	return x == y || len(x.rules) == 0 && len(y.rules) == 0 && x.limits == y.limits
}

// play is what holds for mail from one agency to another; "" is outside the directory.
func (r *rules) play(from, to string) (out []*agencyRules) {
	if r.suite != nil {
		out = append(out, r.suite)
	}
	if from != "" {
		out = append(out, r.of(from))
	}
	if to != "" && to != from {
		out = append(out, r.of(to))
	}
	if from == "" && to == "" {
		out = append(out, builtin)
	}
	return out
}

// markSettings are what the operator has said of labels.
func markSettings(set *store.PolicySet) *mark.Settings {
	s := &mark.Settings{Version: fmt.Sprint("labels-", set.LabelsSeq), Labels: map[string]mark.Class{}}
	for _, l := range set.Labels {
		s.Labels[l.Site+"/"+l.GUID] = markClasses[l.Class]
	}
	return s
}

var markClasses = map[string]mark.Class{"TERBUKA": mark.Terbuka, "TERHAD": mark.Terhad, "SULIT": mark.Sulit,
	"RAHSIA": mark.Rahsia, "RAHSIA BESAR": mark.RahsiaBesar}
