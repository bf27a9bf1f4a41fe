// Package config reads the one file that says what belongs to the machine: listeners,
// TLS, where data lies. Agencies, people and rules are in the directory, never here.
//
// The file is TOML, read strictly: a key that is not known is an error with its line.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Config is the whole file.
type Config struct {
	Hostname   string   `toml:"hostname"`    // in greetings, Received fields and Message-IDs
	DataDir    string   `toml:"data_dir"`    // owned by one process at a time
	KeyFile    string   `toml:"key_file"`    // opens the data; outside data_dir
	Postmaster string   `toml:"postmaster"`  // whom RCPT TO:<Postmaster> means
	GovDomains []string `toml:"gov_domains"` // government outside the directory; *.gov.my
	Guidance   string   `toml:"guidance"`    // added where a class must go by another way
	HTTP       string   `toml:"http"`        // address of /metrics and /healthz; loopback only

	Resolver string   `toml:"resolver"` // HOST:PORT of the DNS server; the first of /etc/resolv.conf, "off" asks none
	Trusted  []string `toml:"trusted"`  // networks whose mail is not authenticated again: own relays

	MaxMessage Size       `toml:"max_message"` // 40 MiB
	TraceDays  int        `toml:"trace_days"`  // how long "what became of this mail" can be answered; 30
	Log        Log        `toml:"log"`
	Outbound   Outbound   `toml:"outbound"`
	Defence    Defence    `toml:"defence"`
	Filters    []Filter   `toml:"filter"`
	TLS        TLS        `toml:"tls"` // for listeners that name none of their own
	Listeners  []Listener `toml:"listener"`
}

// Log says how events are written to standard error.
type Log struct {
	Format string `toml:"format"` // text or json
	Level  string `toml:"level"`  // debug, info, warn, error
}

// TLS names a certificate and its key, in PEM. They are read again when they change.
type TLS struct {
	Cert string `toml:"cert"`
	Key  string `toml:"key"`
}

// Listener is one address that takes connections.
type Listener struct {
	Kind    string `toml:"kind"` // one of [Kinds]
	Address string `toml:"address"`
	TLS     *TLS   `toml:"tls"`

	PlaintextLogin bool     `toml:"plaintext_login"` // allow passwords without TLS; loopback only
	MaxConnections int      `toml:"max_connections"` // 10,000
	MaxPerNetwork  int      `toml:"max_per_network"` // from one /24 or /48; 200
	MaxRecipients  int      `toml:"max_recipients"`  // 1,000
	MaxMessage     Size     `toml:"max_message"`
	Idle           Duration `toml:"idle"`     // SMTP 5m, IMAP 30m
	MinRate        Size     `toml:"min_rate"` // octets a second while a message comes in; 1000
	BareCR         string   `toml:"bare_cr"`  // refuse or fix
	BareLF         string   `toml:"bare_lf"`

	XCLIENT  []string `toml:"xclient"`   // networks whose XCLIENT is believed
	Proxy    []string `toml:"proxy"`     // networks that begin with a PROXY header, and nobody else
	ClientCA string   `toml:"client_ca"` // certificates of clients are checked against this file
	Clients  []string `toml:"clients"`   // lmtp: networks that may come; loopback
}

// Kinds are what a listener can be.
var Kinds = []string{"mx", "submission", "submissions", "lmtp", "imap", "imaps", "https"}

// IMAP says whether the listener speaks IMAP.
func (l *Listener) IMAP() bool { return strings.HasPrefix(l.Kind, "imap") }

// Implicit says whether TLS begins with the first octet.
func (l *Listener) Implicit() bool {
	return l.Kind == "submissions" || l.Kind == "imaps" || l.Kind == "https"
}

// Load reads a file and checks it. Paths in it are relative to the file.
func Load(path string) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c.resolve(filepath.Dir(path))
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse reads the text of a file, and says in which line an unknown key stands.
func Parse(b []byte) (*Config, error) {
	c := &Config{
		GovDomains: []string{"*.gov.my"},
		MaxMessage: 40 << 20,
		TraceDays:  30,
		Log:        Log{Format: "text", Level: "info"},
	}
	d := toml.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(c)
	if strict := (*toml.StrictMissingError)(nil); errors.As(err, &strict) {
		var errs []error
		for _, e := range strict.Errors {
			line, _ := e.Position()
			errs = append(errs, fmt.Errorf("line %d: unknown key %q", line, strings.Join(e.Key(), ".")))
		}
		return nil, errors.Join(errs...)
	}
	if bad := (*toml.DecodeError)(nil); errors.As(err, &bad) {
		line, col := bad.Position()
		return nil, fmt.Errorf("line %d, column %d: %s", line, col, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	return c, err
}

// LoadFilters reads a file that holds [[filter]] alone, for the demo.
func LoadFilters(path string) ([]Filter, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := Parse(b)
	if err == nil && !reflect.DeepEqual(c.onlyFilters(), c) {
		err = errors.New("only [[filter]] belongs into this file")
	}
	if err == nil {
		c.resolve(filepath.Dir(path))
		err = checkFilters(c.Filters)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c.Filters, nil
}

func (c *Config) onlyFilters() *Config {
	empty, _ := Parse(nil)
	empty.Filters = c.Filters
	return empty
}

func (c *Config) resolve(base string) {
	paths := []*string{&c.DataDir, &c.KeyFile, &c.TLS.Cert, &c.TLS.Key, &c.Outbound.TrustCA}
	for i := range c.Filters {
		c.Filters[i].Address = asUsual(c.Filters[i].Address)
		paths = append(paths, &c.Filters[i].PasswordFile)
	}
	for i := range c.Listeners {
		paths = append(paths, &c.Listeners[i].ClientCA)
		if t := c.Listeners[i].TLS; t != nil {
			paths = append(paths, &t.Cert, &t.Key)
		}
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
}

// check finds what would only show at two o'clock at night.
func (c *Config) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Hostname == "" || strings.ContainsAny(c.Hostname, " \t\r\n@") {
		bad("hostname: the name of this server is needed, such as mail.agensi-a.test")
	}
	if c.DataDir == "" {
		bad("data_dir: missing")
	}
	if c.KeyFile == "" {
		bad("key_file: missing; `sampul init` makes one")
	} else if c.DataDir != "" {
		if rel, err := filepath.Rel(c.DataDir, c.KeyFile); err == nil && filepath.IsLocal(rel) {
			bad("key_file: lies in data_dir: whoever takes the data would take the key with it")
		}
	}
	if c.HTTP != "" && !loopback(c.HTTP) {
		bad("http: %s is not a loopback address", c.HTTP)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		bad("log.format: text or json, not %q", c.Log.Format)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		bad("log.level: debug, info, warn or error, not %q", c.Log.Level)
	}
	if c.MaxMessage < 64<<10 || c.MaxMessage > 1<<30 {
		bad("max_message: between 64KiB and 1GiB")
	}
	if c.TraceDays < 1 || c.TraceDays > 3660 {
		bad("trace_days: between 1 and 3660")
	}
	if c.Resolver != "" && c.Resolver != "off" {
		if _, _, err := net.SplitHostPort(c.Resolver); err != nil {
			bad("resolver: HOST:PORT or off: %w", err)
		}
	}
	errs = append(errs, networks("trusted", c.Trusted), c.Outbound.check(), c.Defence.check(), checkFilters(c.Filters))
	taken := map[string]int{}
	for i := range c.Listeners {
		l := &c.Listeners[i]
		if err := l.check(c.TLS); err != nil {
			bad("listener %d (%s %s): %w", i+1, l.Kind, l.Address, err)
		}
		if other := taken[l.Address]; other > 0 && !strings.HasSuffix(l.Address, ":0") {
			bad("listener %d (%s %s): listener %d has this address", i+1, l.Kind, l.Address, other)
		}
		taken[l.Address] = i + 1
	}
	return errors.Join(errs...)
}

func (l *Listener) check(common TLS) error {
	if !slices.Contains(Kinds, l.Kind) {
		return fmt.Errorf("kind: one of %s", strings.Join(Kinds, ", "))
	}
	if _, _, err := net.SplitHostPort(l.Address); err != nil && !(l.Kind == "lmtp" && strings.HasPrefix(l.Address, "unix:/")) {
		return fmt.Errorf("address: host:port or :port is needed: %w", err)
	}
	t := l.Cert(common)
	if (t.Cert == "") != (t.Key == "") {
		return errors.New("tls: cert and key belong together")
	}
	if t.Cert == "" && l.Implicit() {
		return errors.New("tls: a certificate is needed")
	}
	if l.PlaintextLogin && !loopback(l.Address) {
		return errors.New("plaintext_login: passwords without TLS only on loopback")
	}
	for _, v := range []string{l.BareCR, l.BareLF} {
		if v != "" && v != "refuse" && v != "fix" {
			return fmt.Errorf("bare_cr, bare_lf: refuse or fix, not %q", v)
		}
	}
	if l.MaxConnections < 0 || l.MaxPerNetwork < 0 || l.MaxRecipients < 0 || l.MaxMessage < 0 || l.Idle < 0 || l.MinRate < 0 {
		return errors.New("a limit is negative")
	}
	if l.Idle != 0 && time.Duration(l.Idle) < time.Second {
		return errors.New(`idle: a time with its unit is needed, such as "5m"`)
	}
	for key, list := range map[string][]string{"xclient": l.XCLIENT, "proxy": l.Proxy, "clients": l.Clients} {
		if err := networks(key, list); err != nil {
			return err
		}
	}
	switch smtp := !l.IMAP() && l.Kind != "https"; {
	case !smtp && (len(l.XCLIENT) > 0 || len(l.Proxy) > 0 || l.ClientCA != ""):
		return errors.New("xclient, proxy and client_ca are for listeners that speak SMTP or LMTP")
	case l.Kind != "lmtp" && len(l.Clients) > 0:
		return errors.New("clients is for lmtp: others take connections from everywhere")
	}
	if l.MaxRecipients != 0 && l.MaxRecipients < 100 {
		return errors.New("max_recipients: at least 100 (RFC 5321 section 4.5.3.1.8)")
	}
	return nil
}

// Cert is the listener's certificate: its own, or the common one.
func (l *Listener) Cert(common TLS) TLS {
	if l.TLS != nil {
		return *l.TLS
	}
	return common
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Size is a number of octets; "25MiB" and 26214400 are the same.
type Size int64

// UnmarshalText reads a number with or without KiB, MiB, GiB.
func (s *Size) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	shift := 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if rest, ok := strings.CutSuffix(text, unit); ok {
			text, shift = strings.TrimSpace(rest), 10*(i+1)
		}
	}
	var n int64
	if _, err := fmt.Sscanf(text+"\n", "%d\n", &n); err != nil || n < 0 || n > 1<<62>>shift {
		return fmt.Errorf("a size is a number with or without KiB, MiB, GiB, not %q", b)
	}
	*s = Size(n << shift)
	return nil
}

// Duration is Go's form: 30s, 5m, 12h.
type Duration time.Duration

// UnmarshalText reads it.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}
