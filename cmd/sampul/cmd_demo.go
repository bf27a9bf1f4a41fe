package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"sampul/internal/config"
	"sampul/internal/seal"
	"sampul/internal/tlsfiles"
	"sampul/store"
)

type demoOptions struct {
	base     int
	officers int
	ready    string
	plain    bool

	plainStore bool // neither sealed nor compressed

	resolver   string
	remotePort int
	httpsPort  int
	trustCA    string
	filters    string
	sealers    []string
	sentHour   int
	now        string
	bulkRate   int
}

// demoReady is what --json prints, on one line, once everything answers.
type demoReady struct {
	Ready           bool          `json:"ready"`
	PID             int           `json:"pid"`
	MX              string        `json:"mx"`
	Submission      string        `json:"submission"`
	Submissions     string        `json:"submissions"`
	IMAP            string        `json:"imap"`
	IMAPS           string        `json:"imaps"`
	HTTPS           string        `json:"https"` // publishes MTA-STS policies
	HTTP            string        `json:"http"`  // /metrics and /healthz
	Admin           string        `json:"admin"`
	CAFile          string        `json:"ca_file"`
	DataDir         string        `json:"data_dir"`
	LocalDomains    []string      `json:"local_domains"`
	Accounts        []demoAccount `json:"accounts"`
	Application     demoAccount   `json:"application"`
	OfficerPassword string        `json:"officer_password,omitempty"`

	outbound string // for people
}

type demoAccount struct {
	Address  string `json:"address"`
	Password string `json:"password"`
	Agency   string `json:"agency,omitempty"`
}

func demoCommand(t *target) *cobra.Command {
	var o demoOptions
	c := &cobra.Command{Use: "demo", Short: "Run a whole suite on loopback, with two agencies and commands to try", Args: cobra.NoArgs,
		Long: `Demo starts a whole suite on loopback: two agencies, a few officers, an application,
a certificate authority of its own. Without --dir everything is gone when it ends; with
--dir the next start takes the data up again.

All its clients come from one machine, so that it limits neither connections nor what
networks and accounts send; serve does.`,
		RunE: func(c *cobra.Command, _ []string) error { return demo(c, t, o) }}
	f := c.Flags()
	f.IntVar(&o.base, "base-port", 20000, "ports are base+25, +587, +465, +143, +993, +443 (MTA-STS policies), +80 (metrics)")
	f.IntVar(&o.officers, "officers", 0, "so many officers more: officer0000@agensi-a.test and on")
	f.StringVar(&o.ready, "ready-file", "", "write the JSON to this `file` too, once all is ready")
	f.BoolVar(&o.plain, "plaintext-login", false, "allow logins without TLS, for measuring")
	f.BoolVar(&o.plainStore, "plain-store", false, "neither seal nor compress what is kept, so that it can be searched; the data directory must be new, or made so")
	f.StringVar(&o.resolver, "resolver", "", "ask the DNS server at `HOST:PORT`; without it no DNS is asked, and mail goes out to routes with an address alone")
	f.IntVar(&o.remotePort, "remote-port", 25, "connect to this port of mail exchangers")
	f.IntVar(&o.httpsPort, "https-port", 443, "fetch MTA-STS policies from this port")
	f.StringVar(&o.trustCA, "trust-ca", "", "trust the authorities in this PEM `file` too, for SMTP and HTTPS")
	f.StringVar(&o.filters, "filters", "", "TOML `file` with [[filter]] sections")
	f.IntVar(&o.sentHour, "sent-hour", 0, "hold an account that sends more than `N` messages an hour; 0 does not")
	f.IntVar(&o.bulkRate, "bulk-rate", 0, "pace bulk to a domain elsewhere at `N` messages a minute, a new one at a tenth of that; 0 does not")
	f.StringVar(&o.now, "now", "", "start the suite's clock at this `time` (RFC 3339); it goes on from there, in the zone of the time. TLS keeps the machine's")
	f.StringSliceVar(&o.sealers, "trust-sealer", nil, "`domain` whose ARC seal overrides DMARC, besides government's")
	return c
}

func (o *demoOptions) check(t *target) error {
	switch {
	case t.config != "":
		return usagef("demo makes its own configuration: give --dir, not --config")
	case o.base < 1 || o.base+993 > 65535:
		return usagef("--base-port: between 1 and %d", 65535-993)
	case o.remotePort < 1 || o.remotePort > 65535 || o.httpsPort < 1 || o.httpsPort > 65535:
		return usagef("--remote-port, --https-port: between 1 and 65535")
	case o.sentHour < 0 || o.bulkRate < 0:
		return usagef("--sent-hour, --bulk-rate: not negative")
	case o.resolver != "" && !hostPort(o.resolver):
		return usagef("--resolver: HOST:PORT, such as 127.0.0.1:53, not %q", o.resolver)
	case o.officers < 0 || o.officers > 100_000:
		return usagef("--officers: between 0 and 100000")
	}
	return nil
}

func hostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && host != "" && port != ""
}

func demo(c *cobra.Command, t *target, o demoOptions) (err error) {
	if err := o.check(t); err != nil {
		return err
	}
	clock, err := clockFrom(o.now)
	if err != nil {
		return err
	}
	dir := t.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "sampul-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	cfg, ca, err := demoConfig(dir, o)
	if err != nil {
		return err
	}
	log := newLog(c.ErrOrStderr(), cfg.Log)
	keepSecrets(log)
	s, err := openSuite(c.Context(), cfg, log, func(s *suite) {
		s.isDemo, s.remotePort, s.httpsPort, s.plainStore, s.clock = true, o.remotePort, o.httpsPort, o.plainStore, clock
	})
	if err != nil {
		return err
	}
	out, err := settle(c.Context(), s, dir, o)
	if err == nil {
		err = s.start(c.Context())
	}
	if err != nil {
		return errors.Join(err, s.close())
	}
	s.outboundNote()
	out.describe(s, ca)
	if err := announce(c.OutOrStdout(), t.json, o.ready, out); err != nil {
		return errors.Join(err, s.close())
	}
	return s.wait(c.Context())
}

// demoConfig makes key, certificates and configuration inside dir.
func demoConfig(dir string, o demoOptions) (*config.Config, string, error) {
	certs := filepath.Join(dir, "tls")
	if err := os.MkdirAll(certs, 0o700); err != nil {
		return nil, "", err
	}
	key := filepath.Join(dir, demoKeyName)
	if _, err := seal.EnsureKeyFile(key); err != nil {
		return nil, "", err
	}
	ca, cert, certKey, err := tlsfiles.Authority(certs, time.Now(), "mail.agensi-a.test", "mta-sts.agensi-a.test", "mta-sts.agensi-b.test", "localhost", "127.0.0.1", "::1")
	if err != nil {
		return nil, "", err
	}
	at := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(o.base+port)) }
	cfg := &config.Config{
		Hostname: "mail.agensi-a.test", DataDir: dir, KeyFile: key, Postmaster: "postmaster@agensi-a.test",
		GovDomains: []string{"*.gov.my"}, MaxMessage: 40 << 20,
		Log: config.Log{Format: "text", Level: "info"}, TLS: config.TLS{Cert: cert, Key: certKey},
		HTTP: at(80), TraceDays: 30, Resolver: "off", Outbound: config.Outbound{TrustCA: o.trustCA, TrustSealers: o.sealers,
			Bulk: config.Bulk{Off: o.bulkRate == 0, PerMinute: o.bulkRate, Start: max(o.bulkRate/10, 1)}},
		Defence: config.Defence{SentHour: o.sentHour},
	}
	if o.resolver != "" {
		cfg.Resolver = o.resolver
	}
	if o.filters != "" {
		if cfg.Filters, err = config.LoadFilters(o.filters); err != nil {
			return nil, "", usage(err)
		}
	}
	for _, l := range []struct {
		kind string
		port int
	}{{"mx", 25}, {"submission", 587}, {"submissions", 465}, {"imap", 143}, {"imaps", 993}, {"https", 443}} {
		cfg.Listeners = append(cfg.Listeners, config.Listener{Kind: l.kind, Address: at(l.port), PlaintextLogin: o.plain})
	}
	return cfg, ca, nil
}

// describe adds where everything is.
func (d *demoReady) describe(s *suite, ca string) {
	d.Ready, d.PID, d.CAFile, d.DataDir = true, os.Getpid(), ca, s.cfg.DataDir
	d.Admin = filepath.Join(s.cfg.DataDir, socketName)
	d.HTTP, d.outbound = s.cfg.HTTP, "Mail for other domains goes out by "+s.cfg.Resolver
	if !s.mail.resolver.On() {
		d.outbound = "No DNS is asked, so that nothing leaves this machine: mail for other domains waits in the queue"
	}
	for i, to := range []*string{&d.MX, &d.Submission, &d.Submissions, &d.IMAP, &d.IMAPS, &d.HTTPS} {
		*to = s.bound[i].Addr().String()
	}
}

// announce prints what a script or a person needs.
func announce(w io.Writer, asJSON bool, readyFile string, d *demoReady) error {
	if readyFile != "" {
		if err := writeReady(readyFile, d); err != nil {
			return err
		}
	}
	if asJSON {
		return writeLine(w, d)
	}
	a, b := d.Accounts[0], d.Accounts[1]
	_, err := fmt.Fprintf(w, `Sampul runs. %[1]s.

  MX          %[2]s        IMAP   %[5]s  (STARTTLS)
  submission  %[3]s  (STARTTLS)   IMAPS  %[6]s
  submissions %[4]s

  %[7]s  password  %[8]s
  %[9]s  password  %[10]s

Send a message as another server would, then read it:

  swaks --server %[2]s --from orang@luar.test --to %[7]s --header 'Subject: Mesyuarat'
  curl --cacert %[11]s --url 'imaps://%[6]s/INBOX;MAILINDEX=1' -u '%[7]s:%[8]s'

Send one officer a message from another:

  swaks --server %[3]s -tls --auth-user %[9]s --auth-password '%[10]s' --from %[9]s --to %[7]s

Now one that is marked as an official secret. It is refused, and recorded:

  swaks --server %[2]s --from orang@luar.test --to %[7]s --header 'Subject: [RAHSIA] Mesyuarat'
  go run ./cmd/sampul incident list --dir %[12]s

Ctrl-C ends it.
`, d.outbound, d.MX, d.Submission, d.Submissions, d.IMAP, d.IMAPS,
		a.Address, a.Password, b.Address, b.Password, d.CAFile, d.DataDir)
	return err
}

// writeReady lets nobody read half of it.
func writeReady(path string, d *demoReady) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".ready-")
	if err != nil {
		return err
	}
	err = errors.Join(writeLine(f, d), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// settle makes the demo's agencies and people, those that are not there yet.
func settle(ctx context.Context, s *suite, dir string, o demoOptions) (*demoReady, error) {
	d := &demoDirectory{ctx: ctx, st: s.store, now: s.clock()}
	secrets, err := loadSecrets(filepath.Join(dir, "demo-passwords.json"))
	if err != nil {
		return nil, err
	}
	out := &demoReady{LocalDomains: []string{"agensi-a.test", "agensi-b.test"}}
	for _, domain := range out.LocalDomains {
		d.agency(domain)
	}
	for _, a := range demoAccounts {
		d.account(a, secrets.Password[a.Address])
		if a.Kind == store.Application {
			d.application(a.Address, "ucadmin@agensi-a.test")
		}
		acct := demoAccount{a.Address, secrets.Password[a.Address], a.Agency}
		if a.Kind == "application" {
			out.Application = acct
		} else {
			out.Accounts = append(out.Accounts, acct)
		}
	}
	for alias, to := range demoAliases {
		d.alias(alias, to)
	}
	if o.officers > 0 {
		out.OfficerPassword = secrets.Officers
		for _, address := range d.officers(o.officers, secrets.Officers) {
			out.Accounts = append(out.Accounts, demoAccount{address, secrets.Officers, "agensi-a"})
		}
	}
	return out, d.err
}
