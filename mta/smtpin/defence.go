package smtpin

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"time"

	"sampul/internal/dns"
	"sampul/internal/guard"
	"sampul/store"
)

// Limits bound one address, or one network. Zero values limit nothing.
type Limits struct {
	Open          int        // connections at one time
	Connections   guard.Rate // new connections
	Messages      guard.Rate // accepted messages
	BadRecipients guard.Rate // recipients that nobody has; over it the network is banned
	Offences      guard.Rate // talking before the greeting, unauthorised pipelining; over it it is banned
}

// DefenceOptions say how strangers are held in bounds, on MX listeners. Zero values switch
// off; [DefaultDefence] has values that fit an agency.
type DefenceOptions struct {
	Exempt  []netip.Prefix // neither limited, delayed nor looked up; servers of ours never are
	Address Limits         // of an IPv4 address or an IPv6 /64
	Network Limits         // of an IPv4 /24 or an IPv6 /48

	FirstBan, LastBan time.Duration // 1 minute, 24 hours

	Greeting      bool          // who talks before the greeting is refused
	GreetingDelay time.Duration // how long it waits with who sent no good mail in a day; 0 only looks whether octets are there
	GreetLoopback bool          // loopback is looked at too
	Pipelining    bool          // who sends commands ahead that may not be is refused

	Lists     []List  // block lists, and allow lists with a negative score
	Threshold float64 // sum of scores from which a client is refused; 5

	Greylist Greylist

	LookAlike bool     // mail that imitates our domains or officers is tagged
	Known     []string // domains that imitate nobody; "*.gov.my" is all below it

	Outgoing Outgoing
}

// DefaultDefence are the limits of serve; how many connections one address has at a time,
// each listener's configuration says (Deps.Conns).
func DefaultDefence() DefenceOptions {
	return DefenceOptions{
		Address: Limits{
			Connections: guard.Rate{Max: 300, Per: time.Minute}, Messages: guard.Rate{Max: 10000, Per: time.Hour},
			BadRecipients: guard.Rate{Max: 50, Per: time.Hour}, Offences: guard.Rate{Max: 5, Per: time.Hour},
		},
		Network: Limits{
			Open: 500, Connections: guard.Rate{Max: 1200, Per: time.Minute}, Messages: guard.Rate{Max: 40000, Per: time.Hour},
			BadRecipients: guard.Rate{Max: 200, Per: time.Hour}, Offences: guard.Rate{Max: 50, Per: time.Hour},
		},
		Greeting: true, Pipelining: true, LookAlike: true, Threshold: 5,
		Outgoing: DefaultOutgoing,
	}
}

// States keep what should survive a restart: a store's.
type States interface {
	KeepState(ctx context.Context, name string, value []byte) error
	State(name string) ([]byte, error)
}

// DefenceDeps are what a defence asks. All may be nil.
type DefenceDeps struct {
	Resolver   *dns.Resolver
	States     States // of the greylist
	Log        *slog.Logger
	Clock      func() time.Time
	OurDomains func() []string
	Officer    func(name string) bool // whether an officer of ours is called so
	// HoldAccount holds an account whose mail passes its limits, and ends its sessions,
	// or says [ErrAlreadyHeld]; Notify tells its administrator.
	HoldAccount func(ctx context.Context, id store.AccountID, why string) error
	Notify      func(ctx context.Context, a *store.Account, why string)
}

// Defence is what all listeners know together about who misbehaves. It lives in memory,
// bounded.
type Defence struct {
	o    DefenceOptions
	deps DefenceDeps
	log  *slog.Logger

	bans  *guard.Bans
	addr  counters
	net   counters
	open  guard.Open[netip.Prefix]
	known *guard.Rates[netip.Prefix] // networks whose mail was accepted in the last day
	lists *lists
	grey  *greylist
	looks *lookAlikes
	sent  *outgoing
}

// counters are those of one width of networks.
type counters struct {
	limits                                   Limits
	connections, messages, badRcpts, offence *guard.Rates[netip.Prefix]
}

func newCounters(clock func() time.Time, l Limits) counters {
	rates := func(r guard.Rate) *guard.Rates[netip.Prefix] { return guard.NewRates[netip.Prefix](clock, r) }
	return counters{l, rates(l.Connections), rates(l.Messages), rates(l.BadRecipients), rates(l.Offences)}
}

// NewDefence makes one for all listeners of a suite.
func NewDefence(o DefenceOptions, deps DefenceDeps) *Defence {
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Clock == nil {
		deps.Clock = time.Now
	}
	o.Threshold = cmp.Or(o.Threshold, 5)
	d := &Defence{
		o: o, deps: deps, log: deps.Log,
		bans: guard.NewBans(deps.Clock, cmp.Or(o.FirstBan, time.Minute), cmp.Or(o.LastBan, 24*time.Hour)),
		addr: newCounters(deps.Clock, o.Address),
		net:  newCounters(deps.Clock, o.Network),

		known: guard.NewRates[netip.Prefix](deps.Clock, guard.Rate{Max: math.MaxInt, Per: 24 * time.Hour}),
	}
	d.lists = newLists(o.Lists, deps)
	d.grey = newGreylist(o.Greylist, deps)
	if o.LookAlike && deps.OurDomains != nil {
		d.looks = newLookAlikes(o.Known, deps)
	}
	d.sent = newOutgoing(o.Outgoing, deps)
	return d
}

// Run keeps the state of the greylist until ctx is over, and once more then.
func (d *Defence) Run(ctx context.Context) { d.grey.run(ctx) }

// Bans are the networks that are kept out now, the newest first.
func (d *Defence) Bans() []guard.Ban { return d.bans.List() }

// Unban lets a network in again, and forgets what was counted. It gives how many bans
// that ended.
func (d *Defence) Unban(n netip.Prefix) int {
	lifted := d.bans.Lift(n)
	for _, p := range [2]netip.Prefix{guard.Address(n.Addr()), guard.Network(n.Addr())} {
		for _, c := range [2]*counters{&d.addr, &d.net} {
			c.badRcpts.Forget(p)
			c.offence.Forget(p)
		}
	}
	if lifted > 0 {
		d.log.Info("ban lifted", "network", n)
	}
	return lifted
}

// Hooks are the defence's part in sessions.
func (d *Defence) Hooks() Hooks {
	return Hooks{Connect: d.connect, Rcpt: d.rcpt, Body: d.body, End: d.end, Mail: d.mail}
}

// netState is what is found out about a client while it talks.
type netState struct {
	listed *listed
}

// stranger says whether the client is one that limits are for.
func (d *Defence) stranger(s *session) bool {
	return s.srv.cfg.Kind == MX && s.account == nil && !s.trusted && s.ip.IsValid() && !within(d.o.Exempt, s.ip)
}

// admit is asked before a session begins, and must not wait.
func (d *Defence) admit(s *session) *Reply {
	if !d.stranger(s) {
		return nil
	}
	if r := d.banned(s.ip); r != nil {
		return r
	}
	a, n := guard.Address(s.ip), guard.Network(s.ip)
	if !d.addr.connections.Add(a, 1) || !d.net.connections.Add(n, 1) {
		return errRate
	}
	if !d.open.Enter(a, d.o.Address.Open) {
		return errConnections
	}
	if !d.open.Enter(n, d.o.Network.Open) {
		d.open.Leave(a, d.o.Address.Open)
		return errConnections
	}
	s.counted = s.ip
	return nil
}

// leave takes admit back.
func (d *Defence) leave(s *session) {
	if s.counted.IsValid() {
		d.open.Leave(guard.Address(s.counted), d.o.Address.Open)
		d.open.Leave(guard.Network(s.counted), d.o.Network.Open)
		s.counted = netip.Addr{}
	}
}

func (d *Defence) banned(ip netip.Addr) *Reply {
	b, found := d.bans.Find(ip)
	if !found {
		return nil
	}
	return reply(421, "4.7.0", "your network is refused for a while: "+b.Why)
}

// connect begins what takes time, and catches who talks too early.
func (d *Defence) connect(ctx context.Context, st *Stage) error {
	s := st.s
	if !d.stranger(s) {
		return nil
	}
	if r := d.banned(s.ip); r != nil { // again, for whom XCLIENT names
		return r
	}
	s.net.listed = d.lists.start(ctx, s.ip)
	if d.o.Greeting && !s.greeted && (d.o.GreetLoopback || !s.ip.IsLoopback()) && s.talks(d.greetingDelay(s.ip)) {
		s.log.Warn("talks before the greeting", "remote", s.ip)
		d.offence(s, "talks before the greeting")
		return reply(554, "5.5.0", "you spoke before the greeting")
	}
	return nil
}

// greetingDelay spares networks that have sent good mail.
func (d *Defence) greetingDelay(ip netip.Addr) time.Duration {
	if d.o.GreetingDelay > 0 && d.known.Count(guard.Network(ip)) > 0 {
		return 0
	}
	return d.o.GreetingDelay
}

// rcpt asks the lists, then the greylist, once a recipient is known to be good.
func (d *Defence) rcpt(ctx context.Context, st *Stage) error {
	s := st.s
	if s.account != nil {
		return d.sent.recipient(ctx, s.account, st.Address)
	}
	if !d.stranger(s) {
		return nil
	}
	score, zones := s.net.listed.wait(ctx)
	if score >= d.o.Threshold {
		s.log.Info("listed", "remote", s.ip, "zones", zones, "score", score)
		return reply(554, "5.7.1", fmt.Sprintf("the client [%s] is listed by %s", s.ip, zones))
	}
	if score < 0 {
		return nil
	}
	return d.grey.check(s, st.Address)
}

// mail refuses who has sent enough.
func (d *Defence) mail(_ context.Context, st *Stage) error {
	if !d.stranger(st.s) {
		return nil
	}
	if d.addr.messages.Count(guard.Address(st.IP)) >= max(d.o.Address.Messages.Max, 1) ||
		d.net.messages.Count(guard.Network(st.IP)) >= max(d.o.Network.Messages.Max, 1) {
		return errRate
	}
	return nil
}

// body tags what imitates us.
func (d *Defence) body(_ context.Context, st *Stage) error {
	if d.looks == nil || st.Account != nil || st.Trusted || st.Kind != MX {
		return nil
	}
	for _, w := range d.looks.warnings(st.From, st.Header) {
		st.s.log.Info("imitation", "id", st.ID, "from", st.From, "warning", w)
		st.Add("X-Sampul-Warning", w)
	}
	return nil
}

// end counts what is about to be accepted.
func (d *Defence) end(ctx context.Context, st *Stage) error {
	if st.s.account != nil {
		return d.sent.message(ctx, st.s.account)
	}
	if d.stranger(st.s) {
		d.addr.messages.Add(guard.Address(st.IP), 1)
		d.net.messages.Add(guard.Network(st.IP), 1)
		if d.o.GreetingDelay > 0 {
			d.known.Add(guard.Network(st.IP), 1)
		}
	}
	return nil
}

// badRecipient counts one that was refused.
func (d *Defence) badRecipient(s *session) {
	if !d.stranger(s) {
		return
	}
	a, n := guard.Address(s.ip), guard.Network(s.ip)
	if !d.addr.badRcpts.Add(a, 1) {
		d.ban(s, a, "too many recipients that nobody has")
	}
	if !d.net.badRcpts.Add(n, 1) {
		d.ban(s, n, "too many recipients that nobody has")
	}
}

// offence counts what no honest client does.
func (d *Defence) offence(s *session, what string) {
	if !d.stranger(s) {
		return
	}
	a, n := guard.Address(s.ip), guard.Network(s.ip)
	if !d.addr.offence.Add(a, 1) {
		d.ban(s, a, what)
	}
	if !d.net.offence.Add(n, 1) {
		d.ban(s, n, what)
	}
}

func (d *Defence) ban(s *session, n netip.Prefix, why string) {
	b := d.bans.Ban(n, why)
	s.log.Warn("banned", "network", n, "why", why, "until", b.Until, "times", b.Times)
	if s.badRcpts > 0 {
		s.badRcpts = maxBadRecipients + 1 // this session ends too
	}
}

// mustWait says whether nothing may have been sent behind this command: it is the last of
// its group (RFC 2920 section 3.1), or PIPELINING was not offered yet.
func (s *session) mustWait(verb string) bool {
	switch verb {
	case "EHLO", "HELO", "DATA":
		return true
	case "QUIT", "BDAT", "STARTTLS": // STARTTLS looks itself
		return false
	}
	return !s.esmtp
}

// early says whether octets came all the same. Whoever sends them is a program that does
// not read replies, and the session ends: what follows DATA would else be run as commands.
func (s *session) early(verb string) bool {
	d := s.srv.deps.Defence
	if d == nil || !d.o.Pipelining || s.in.Buffered() == 0 || !s.mustWait(verb) || !d.stranger(s) {
		return false
	}
	s.over = true
	s.log.Warn("unauthorised pipelining", "remote", s.ip, "command", verb, "octets", s.in.Buffered())
	d.offence(s, "unauthorised pipelining")
	return true
}
