package policy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"sampul/internal/address"
	"sampul/internal/gate"
	"sampul/internal/message"
	"sampul/policy/extract"
	"sampul/policy/mark"
	"sampul/store"
)

// RuleSet is the version of the built-in rules; it stands beside each verdict.
const RuleSet = "builtin-1"

// Options of an engine. Without a Recorder nothing is recorded, for checks of files.
type Options struct {
	Recorder   Recorder
	GovDomains []string // government outside the directory, "*.gov.my" for all below it; that is the default
	Guidance   func(agency string) string
	// Lookup says which agency a domain's address belongs to, and whether the domain is in the directory.
	Lookup func(ctx context.Context, address string) (agency string, inside bool)
	Budget extract.Budget
	Clock  func() time.Time
	Log    *slog.Logger
}

// An Engine judges messages. It may be used by many goroutines.
type Engine struct {
	o    Options
	work chan struct{} // documents are opened one a core; plain mail does not wait for them
}

// New makes an engine.
func New(o Options) *Engine {
	if o.GovDomains == nil {
		o.GovDomains = address.Government
	}
	if o.Guidance == nil {
		o.Guidance = func(string) string { return "" }
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Budget.Worth = func(text string, html bool) bool {
		if html {
			return mark.MaybeHTML(text)
		}
		return mark.Maybe(text)
	}
	return &Engine{o: o, work: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)))}
}

// Judge is the one gate. An error is a fault of the engine, or the end of ctx: the message
// must not be delivered then, and may come again.
func (e *Engine) Judge(ctx context.Context, m *Mail) (v *Verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, fmt.Errorf("policy: the engine failed: %v", p)
		}
	}()
	v, err = e.look(ctx, m.Index, m.Body)
	if err != nil {
		return nil, err
	}
	dirs, from := e.directions(ctx, m)
	e.decide(v, m, dirs, from)
	if err := e.record(ctx, v, m, dirs, from); err != nil {
		return nil, fmt.Errorf("policy: incident not recorded: %w", err)
	}
	if v.Action <= Tag {
		v.Passed = gate.Mint(m.SHA256, m.Purpose, v.Class.String(), RuleSet, v.ID)
	}
	return v, nil
}

// CheckFile judges a file as a message that takes one direction. Nothing is recorded, and
// nothing passes the gate.
func (e *Engine) CheckFile(ctx context.Context, d Direction, agency string, r io.ReaderAt, size int64) (*Verdict, error) {
	x := message.NewIndexer(message.DefaultLimits)
	if _, err := io.Copy(x, io.NewSectionReader(r, 0, size)); err != nil {
		return nil, err
	}
	v, err := e.look(ctx, x.Finish(), r)
	if err != nil {
		return nil, err
	}
	e.decide(v, &Mail{Agency: agency, Recipients: []Recipient{{}}}, []Direction{d}, sender{agency: agency, inside: d == Internal || d == Across || d == Out || d == Relay, gov: d != In})
	return v, nil
}

// look takes the message apart and finds what is marked on it.
func (e *Engine) look(ctx context.Context, x *message.Index, body io.ReaderAt) (*Verdict, error) {
	if !isPlain(x) {
		select {
		case e.work <- struct{}{}:
			defer func() { <-e.work }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	res, err := extract.Message(ctx, x, body, e.o.Budget)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	found := mark.Judge(res.Parts)
	v := &Verdict{ID: "V-" + rand.Text()[:12], basis: basis{found: found}}
	v.Class = classOf(found.Class)
	v.Suspicion = classOf(found.Suspicion)
	for _, f := range found.Findings {
		v.Evidence = append(v.Evidence, Evidence{Path: f.Path, Where: f.Where, Rule: f.Rule, Class: classOf(f.Class),
			Word: f.Word, Weight: f.Weight, Why: f.Why})
	}
	for _, g := range res.Gaps {
		if g.Reason == extract.Unread {
			v.Unread = append(v.Unread, fmt.Sprintf("%s (%s)", g.Path, g.Kind))
			continue
		}
		v.gaps = append(v.gaps, g)
		v.Evidence = append(v.Evidence, Evidence{Path: g.Path, Where: g.Kind, Rule: string(g.Reason), Class: Uninspectable, Why: g.Why})
	}
	if len(v.gaps) > 0 && v.Class < Uninspectable {
		v.Class = Uninspectable
	}
	return v, nil
}

// isPlain says whether a message is text alone: it is judged at once, while documents wait
// for their turn.
func isPlain(x *message.Index) bool {
	for i := range x.Parts {
		p := &x.Parts[i]
		if p.Type != "text" && p.Type != "multipart" || p.Disposition == "attachment" {
			return false
		}
	}
	return x.Size < 1<<20
}

func classOf(c mark.Class) Class {
	return [...]Class{mark.None: Terbuka, mark.Terbuka: Terbuka, mark.Terhad: Terhad, mark.Sulit: Sulit,
		mark.Rahsia: Rahsia, mark.RahsiaBesar: RahsiaBesar}[c]
}

// A sender is where a message comes from.
type sender struct {
	agency string
	inside bool // an account of ours, or a domain in the directory
	gov    bool // inside, or government elsewhere
}

// directions says which way the message goes to each recipient.
func (e *Engine) directions(ctx context.Context, m *Mail) ([]Direction, sender) {
	from := sender{agency: m.Agency, inside: m.Account != ""}
	if !from.inside && m.Sender != "" {
		_, domain, _ := strings.Cut(m.Sender, "@")
		from.gov = e.government(domain)
	}
	from.gov = from.gov || from.inside
	out := make([]Direction, max(1, len(m.Recipients)))
	for i := range out {
		agency := ""
		if i < len(m.Recipients) {
			agency = m.Recipients[i].Agency
		}
		switch {
		case m.App:
			out[i] = Relay
		case m.Append:
			out[i] = Internal
		case from.inside && agency == from.agency && agency != "":
			out[i] = Internal
		case from.inside && agency != "":
			out[i] = Across
		case from.inside:
			out[i] = Out
		case from.gov:
			out[i] = InGov
		default:
			out[i] = In
		}
	}
	return out, from
}

func (e *Engine) government(domain string) bool { return address.In(e.o.GovDomains, domain) }

// record keeps what was found, before anybody is told.
func (e *Engine) record(ctx context.Context, v *Verdict, m *Mail, dirs []Direction, from sender) error {
	if e.o.Recorder == nil || !v.notable() {
		return nil
	}
	in := store.Incident{
		Time: e.o.Clock(), Agency: agencyOf(m, from), Class: v.Class.String(), Action: v.Action.String(),
		Direction: string(v.Direction), Listener: m.Listener, Remote: m.Remote, QueueID: m.QueueID, Account: m.Account,
		Sender: m.Sender, Size: m.Body.Size(), RuleSet: RuleSet, State: "open",
		MessageID: message.DecodeHeader([]byte(m.Index.Parts[0].Get("Message-ID"))),
	}
	for _, r := range m.Recipients {
		if len(in.Recipients) == 100 {
			break
		}
		in.Recipients = append(in.Recipients, r.Address)
	}
	for _, ev := range v.Evidence {
		if ev.Weight == 0 && ev.Class != Uninspectable || len(in.Evidence) == 50 {
			continue
		}
		in.Evidence = append(in.Evidence, store.IncidentEvidence{Path: ev.Path, Where: ev.Where, Rule: ev.Rule, Class: ev.Class.String()})
	}
	if v.Class == Terbuka && v.Suspicion != Terbuka {
		in.Class = v.Suspicion.String()
	}
	id, err := e.o.Recorder.AddIncident(ctx, in)
	if err != nil {
		return errors.Join(err, ctx.Err())
	}
	v.Incident = id
	if v.Action >= SecureLink {
		v.refuse(e.o.Guidance(in.Agency))
	}
	return nil
}

// agencyOf is whose side an incident is about: the sender's where it is ours, else the
// recipient's.
func agencyOf(m *Mail, from sender) string {
	if from.agency != "" {
		return from.agency
	}
	for _, r := range m.Recipients {
		if r.Agency != "" {
			return r.Agency
		}
	}
	return ""
}
