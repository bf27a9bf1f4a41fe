package smtpout

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Send makes one transaction, over a connection that is there or to the first host that
// takes it, and answers for each recipient in order.
func (p *Pool) Send(ctx context.Context, hop Hop, m *Message) []Result {
	j := &job{p: p, ctx: ctx, hop: hop, m: m, out: make([]Result, len(m.To)), tried: map[string]bool{}}
	j.run()
	return j.out
}

// Probe asks whether a host would take an address.
func (p *Pool) Probe(ctx context.Context, hop Hop, from, to string) Result {
	return p.Send(ctx, hop, &Message{From: from, To: []Rcpt{{Address: to}}})[0]
}

// A job is one Send.
type job struct {
	p   *Pool
	ctx context.Context
	hop Hop
	m   *Message
	out []Result

	todo     []int           // recipients without a final answer
	tried    map[string]bool // endpoints
	sessions int             // with an envelope said
	heard    bool            // somebody answered to the envelope: out has it
	faults   []*fault        // of hosts that did not come so far
	before   []Result        // what all hosts said that the message had to pass over
}

func (j *job) run() {
	if !j.addresses() {
		return
	}
	if j.kept() {
		return
	}
	r, f := j.p.resolve(j.ctx, j.hop, j.m)
	if f != nil {
		j.note(f)
	} else {
		j.walk(r)
	}
	j.finish()
}

// addresses refuses what cannot stand in a command, and tells whether anybody is left.
func (j *job) addresses() bool {
	sender := &fault{stage: StageMAIL, code: 553, enhanced: "5.1.7", permanent: true, text: "the sender's address has control characters"}
	rcpt := &fault{stage: StageRCPT, code: 553, enhanced: "5.1.3", permanent: true, text: "the address has control characters, or is empty"}
	for i, r := range j.m.To {
		switch {
		case !clean(j.m.From):
			j.out[i] = sender.result(r.Address)
		case !clean(r.Address) || r.Address == "":
			j.out[i] = rcpt.result(r.Address)
		default:
			j.todo = append(j.todo, i)
		}
	}
	return len(j.todo) > 0
}

// kept tries connections that are there. done says that all is answered. One that the other
// side closed meanwhile, before it said anything to this message, does not count.
func (j *job) kept() (done bool) {
	k := j.p.keyOf(j.hop, j.m.RequireTLS)
	for {
		s := j.p.take(j.ctx, k)
		if s == nil {
			return false
		}
		t, f := j.transact(s)
		if f != nil && !t.heard && j.ctx.Err() == nil {
			continue
		}
		j.heard = true
		j.tried[s.end.String()] = true
		return len(j.todo) == 0
	}
}

// transact makes the transaction on s and takes care of s.
func (j *job) transact(s *session) (*transaction, *fault) {
	t := &transaction{s: s, m: j.m, todo: j.todo, out: j.out}
	f := t.run()
	if f != nil {
		s.close(f)
		if s.reused && !t.heard {
			return t, f
		}
	} else {
		j.p.give(s)
	}
	for _, i := range j.todo {
		j.out[i].Before = slices.Clip(j.before)
	}
	if j.todo = t.again(); len(j.todo) > 0 {
		j.pass(j.out[j.todo[0]])
	}
	return t, f
}

// walk tries host after host, address after address.
func (j *job) walk(r *route) {
	start := j.p.Clock()
	addresses := 0
	var slow []*endpoint // silent for a while: they are waited for when nobody else answers
	enough := func() bool {
		return len(j.todo) == 0 || j.ctx.Err() != nil || j.m.Opening != nil && j.m.Opening.Err() != nil || addresses >= maxAddresses || j.sessions >= maxSessions ||
			addresses > 1 && j.p.Clock().Sub(start) > maxTrying
	}
	for _, host := range r.hosts[:min(len(r.hosts), maxHosts)] {
		if enough() {
			break
		}
		ends, f := j.p.endpoints(j.ctx, r, host, j.hop.Source)
		if f != nil {
			j.note(f)
			continue
		}
		for _, end := range ends {
			if enough() {
				break
			}
			if j.tried[end.String()] {
				continue
			}
			addresses++
			j.tried[end.String()] = true
			end.brief = len(r.hosts) > 1 || len(ends) > 1
			answered, silent := j.try(end)
			if silent && end.brief {
				slow = append(slow, end)
			}
			if answered {
				break // the next host, not another address of this one
			}
		}
	}
	for _, end := range slow {
		if j.heard || enough() {
			return
		}
		patient := *end
		patient.brief, patient.again = false, true
		j.try(&patient)
	}
}

// try says the message to one endpoint. answered says that it was a server that spoke,
// silent that it took the connection and then said nothing.
func (j *job) try(end *endpoint) (answered, silent bool) {
	s, f := j.reach(end)
	if f != nil {
		j.note(f)
		silent = f.lost && isTimeout(f.err) && (f.stage == StageGreeting || f.stage == StageEHLO)
		return f.stage != StageConnect && !silent, silent
	}
	j.sessions++
	j.heard = true
	j.transact(s)
	return true, false
}

// reach opens a session. Where nothing asks for TLS and TLS fails, it goes on without.
func (j *job) reach(end *endpoint) (*session, *fault) {
	p, dest := j.p, destination(j.hop)
	_, address := end.network()
	k := deadKey{address, j.hop.Source}
	if !end.again {
		if f := p.dead.check(k, dest, p.times.Connect+p.times.Greeting); f != nil {
			f.remote = end.String()
			return nil, f
		}
	}
	start := time.Now()
	s, f := j.open(end)
	if f != nil && f.stage == StageSTARTTLS && end.security.need == tlsMay && j.ctx.Err() == nil && j.hop.User == "" {
		p.Log.Info("no TLS where none is required", "host", end.String(), "why", f.text)
		clear := *end
		clear.security = demand{need: tlsNever}
		why := f.text
		if s, f = j.open(&clear); f == nil {
			s.tls = "none (" + why + ")"
		}
	}
	switch silent := f != nil && f.lost && (f.stage == StageConnect || f.stage == StageGreeting && isTimeout(f.err)); {
	case silent && (j.ctx.Err() == nil || time.Since(start) > fairWait):
		if j.ctx.Err() != nil {
			f.text = "did not answer in time"
		}
		p.dead.failed(k, dest, f)
	case j.ctx.Err() == nil:
		p.dead.works(k)
	}
	return s, f
}

// open opens a session, for as long as the message's Opening lets it.
func (j *job) open(end *endpoint) (*session, *fault) {
	if j.m.Opening == nil {
		return j.p.open(j.ctx, j.hop, end)
	}
	ctx, cancel := context.WithCancelCause(j.ctx)
	defer cancel(nil)
	defer context.AfterFunc(j.m.Opening, func() { cancel(context.Cause(j.m.Opening)) })()
	s, f := j.p.open(ctx, j.hop, end)
	if f != nil {
		return nil, f
	}
	if !s.stop() { // at the last moment
		f = broken(ctx, StageEHLO, context.Cause(ctx))
		f.remote, f.tls = end.String(), s.told()
		s.close(f)
		return nil, f
	}
	s.guard(j.ctx)
	return s, nil
}

// fairWait is how long an address may be silent before it counts as dead for others too,
// when it is the asker who ran out of time.
const fairWait = 5 * time.Second

func (j *job) note(f *fault) {
	j.faults = append(j.faults, f)
	j.pass(f.result(""))
}

// pass remembers what a host said that is passed over.
func (j *job) pass(r Result) {
	r.Address, r.Before = "", nil
	j.before = append(j.before, r)
}

// finish answers for those whom no host answered, by the failure that came furthest. It is
// final only if every host's is.
func (j *job) finish() {
	if len(j.todo) == 0 || j.heard {
		return
	}
	if len(j.faults) == 0 {
		j.note(&fault{stage: StageConnect, code: 451, enhanced: "4.4.1", text: "no host was tried: " + fmt.Sprint(context.Cause(j.ctx))})
	}
	worst := slices.MaxFunc(j.faults, func(a, b *fault) int { return rank[a.stage] - rank[b.stage] })
	f, at := *worst, slices.Index(j.faults, worst)
	for i, o := range j.faults {
		if !o.permanent {
			if f.permanent {
				f, at = *o, i
			}
			f.permanent = false
		}
		f.slow = f.slow || o.slow
	}
	others := slices.Delete(slices.Clone(j.before), at, at+1) // nobody was heard: one for each fault
	if n := len(j.faults) - 1; n > 0 {
		f.text += fmt.Sprintf(" (of %d hosts tried)", n+1)
	}
	for _, i := range j.todo {
		j.out[i] = f.result(j.m.To[i].Address)
		j.out[i].Before = others
	}
}
