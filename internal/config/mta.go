package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Outbound is how mail leaves.
type Outbound struct {
	Off          bool              `toml:"off"`          // mail for other servers waits in the queue
	TrustCA      string            `toml:"trust_ca"`     // authorities trusted besides the system's, PEM
	Security     string            `toml:"security"`     // of destinations that are not named: opportunistic
	Destinations map[string]string `toml:"destinations"` // domain = "none", "opportunistic", "verified" or "dane-only"
	Lifetime     Duration          `toml:"lifetime"`     // of a message in the queue; 120h
	DelayNotice  Duration          `toml:"delay_notice"` // after which a sender is told of a delay; 4h
	Concurrency  int               `toml:"concurrency"`  // connections to one destination at most; 20
	Workers      int               `toml:"workers"`      // transactions at one time in all; 200
	MTASTS       string            `toml:"mta_sts"`      // mode of the policy that we publish: enforce, testing, none
	Bulk         Bulk              `toml:"bulk"`
	TrustSealers []string          `toml:"trust_sealers"` // domains whose ARC seal overrides DMARC
}

// Bulk is how fast the mail of applications goes to one domain elsewhere. Zero values are
// the defaults.
type Bulk struct {
	Off         bool     `toml:"off"`              // as fast as the other side takes it
	PerMinute   int      `toml:"per_minute"`       // messages a minute at most; 600
	Connections int      `toml:"connections"`      // at a time; 5
	Start       int      `toml:"start_per_minute"` // to a domain that is new to this suite; 60
	Double      Duration `toml:"double_every"`     // of sending without complaint, until the rate doubles; 1h
}

// Defence is what keeps strangers in bounds. Zero values are the defaults.
type Defence struct {
	GreetingDelay  Duration `toml:"greeting_delay"`  // before the greeting, to catch those who talk first; 0
	Connections    int      `toml:"connections"`     // of one network in a minute
	Messages       int      `toml:"messages"`        // of one network in an hour
	BadRecipients  int      `toml:"bad_recipients"`  // of one network in an hour, before it is banned
	Greylist       bool     `toml:"greylist"`        // strangers come twice
	GreylistWait   Duration `toml:"greylist_wait"`   // 5m
	DNSBL          []List   `toml:"dnsbl"`           // lists of bad clients
	DNSWL          []List   `toml:"dnswl"`           // lists of good ones; their scores are taken off
	Threshold      float64  `toml:"threshold"`       // score from which a client is refused; 5
	SentHour       int      `toml:"sent_hour"`       // messages of one account in an hour; 300
	SentDay        int      `toml:"sent_day"`        // 2000
	RecipientsHour int      `toml:"recipients_hour"` // new recipients of one account in an hour; 500
	RecipientsDay  int      `toml:"recipients_day"`  // 2000
}

// A List is a DNS list of addresses (RFC 5782).
type List struct {
	Zone  string  `toml:"zone"`
	Score float64 `toml:"score"`
	Match string  `toml:"match"` // answers that count, such as 127.0.0.2 or 127.0.0.0/24; all of 127/8
}

// Filter is a program that is asked about each message.
type Filter struct {
	Name         string   `toml:"name"`
	Type         string   `toml:"type"`    // clamd, rspamd, milter
	Address      string   `toml:"address"` // unix:/path, tcp:host:port, host:port, or as [asUsual] knows; for rspamd also a URL
	Scope        []string `toml:"scope"`   // in, out, relay
	Timeout      Duration `toml:"timeout"`
	OnError      string   `toml:"on_error"`      // tempfail or accept
	RejectScore  float64  `toml:"reject_score"`  // rspamd: 0 leaves it to its action
	JunkScore    float64  `toml:"junk_score"`    // rspamd
	PasswordFile string   `toml:"password_file"` // rspamd

	AgencySettings bool `toml:"agency_settings"` // rspamd: the agency's name goes along as Settings-ID
}

func (o *Outbound) check() error {
	var errs []error
	levels := []string{"", "none", "opportunistic", "verified", "dane-only"}
	if !slices.Contains(levels, o.Security) {
		errs = append(errs, fmt.Errorf("outbound.security: none, opportunistic, verified or dane-only, not %q", o.Security))
	}
	for d, level := range o.Destinations {
		if level == "" || !slices.Contains(levels, level) {
			errs = append(errs, fmt.Errorf("outbound.destinations.%s: none, opportunistic, verified or dane-only, not %q", d, level))
		}
	}
	if !slices.Contains([]string{"", "enforce", "testing", "none"}, o.MTASTS) {
		errs = append(errs, fmt.Errorf("outbound.mta_sts: enforce, testing or none, not %q", o.MTASTS))
	}
	if o.Lifetime != 0 && time.Duration(o.Lifetime) < time.Minute {
		errs = append(errs, errors.New(`outbound.lifetime: a time with its unit is needed, such as "120h"`))
	}
	for _, d := range o.TrustSealers {
		if d == "" || strings.ContainsAny(d, " \t@/:") {
			errs = append(errs, fmt.Errorf("outbound.trust_sealers: %q is no domain", d))
		}
	}
	if o.Concurrency < 0 || o.Workers < 0 || o.DelayNotice < 0 || o.Bulk.PerMinute < 0 || o.Bulk.Connections < 0 || o.Bulk.Start < 0 || o.Bulk.Double < 0 {
		errs = append(errs, errors.New("outbound: a limit is negative"))
	}
	return errors.Join(errs...)
}

func (d *Defence) check() error {
	var errs []error
	for _, l := range append(slices.Clone(d.DNSBL), d.DNSWL...) {
		if l.Zone == "" || l.Score <= 0 {
			errs = append(errs, fmt.Errorf("defence: list %q needs a zone and a score above 0", l.Zone))
		}
		if strings.ContainsAny(l.Zone, " \t@/:") {
			errs = append(errs, fmt.Errorf("defence: %q is no zone, such as bl.example.net", l.Zone))
		}
		if l.Match != "" && networks("match", []string{l.Match}) != nil {
			errs = append(errs, fmt.Errorf("defence: list %s: match is an address or a network, not %q", l.Zone, l.Match))
		}
	}
	for _, n := range []int{d.Connections, d.Messages, d.BadRecipients, d.SentHour, d.SentDay, d.RecipientsHour, d.RecipientsDay} {
		if n < 0 {
			errs = append(errs, errors.New("defence: a limit is negative"))
			break
		}
	}
	if d.GreetingDelay < 0 || time.Duration(d.GreetingDelay) > 30*time.Second || d.Threshold < 0 {
		errs = append(errs, errors.New("defence: greeting_delay is between 0 and 30s, threshold not negative"))
	}
	return errors.Join(errs...)
}

func checkFilters(all []Filter) error {
	var errs []error
	names := map[string]bool{}
	for i, f := range all {
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("filter %d (%s): %w", i+1, f.Name, fmt.Errorf(format, args...)))
		}
		if f.Name == "" || names[f.Name] {
			bad("name: each filter has one of its own")
		}
		names[f.Name] = true
		if !slices.Contains([]string{"clamd", "rspamd", "milter"}, f.Type) {
			bad("type: clamd, rspamd or milter, not %q", f.Type)
		}
		if err := filterAddress(f.Address, f.Type == "rspamd"); err != nil {
			bad("address: %w", err)
		}
		if len(f.Scope) == 0 {
			bad("scope: which of in, out, relay?")
		}
		for _, s := range f.Scope {
			if !slices.Contains([]string{"in", "out", "relay"}, s) {
				bad("scope: in, out or relay, not %q", s)
			}
		}
		if f.OnError != "tempfail" && f.OnError != "accept" {
			bad("on_error: tempfail or accept, not %q", f.OnError)
		}
		if f.Timeout != 0 && time.Duration(f.Timeout) < time.Second {
			bad(`timeout: a time with its unit is needed, such as "30s"`)
		}
		if (f.RejectScore != 0 || f.JunkScore != 0 || f.PasswordFile != "" || f.AgencySettings) && f.Type != "rspamd" {
			bad("scores, password_file and agency_settings belong to rspamd")
		}
	}
	return errors.Join(errs...)
}

// asUsual writes an address as this suite does that is written as other servers do: a path
// alone, local:/path, unix:///path, inet:host:port, inet:port@host, tcp://host:port.
func asUsual(a string) string {
	scheme, rest, _ := strings.Cut(a, ":")
	path := strings.TrimPrefix(rest, "//")
	switch port, host, at := strings.Cut(rest, "@"); {
	case strings.HasPrefix(a, "/"):
		return "unix:" + a
	case (scheme == "unix" || scheme == "local") && strings.HasPrefix(path, "/"):
		return "unix:" + path
	case scheme == "inet" && at:
		return net.JoinHostPort(host, port)
	case scheme == "inet", scheme == "tcp":
		return "tcp:" + path
	}
	return a
}

func filterAddress(a string, mayURL bool) error {
	if strings.HasPrefix(a, "unix:/") {
		return nil
	}
	if mayURL && strings.Contains(a, "://") {
		_, err := url.Parse(a)
		return err
	}
	_, _, err := net.SplitHostPort(strings.TrimPrefix(a, "tcp:"))
	return err
}

// networks says which of them is none.
func networks(key string, list []string) error {
	for _, n := range list {
		if _, err := Network(n); err != nil {
			return fmt.Errorf("%s: %q is no address and no network such as 10.0.0.0/8", key, n)
		}
	}
	return nil
}

// Network reads an address or a network.
func Network(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Prefix(a.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// Networks reads a list that was checked.
func Networks(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		if p, err := Network(s); err == nil {
			out = append(out, p)
		}
	}
	return out
}
