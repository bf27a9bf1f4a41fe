package filter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

const rspamdAnswer = 1 << 20 // longest answer that is read

// rspamd asks rspamd over HTTP, POST /checkv2, with what is known of the envelope in
// request headers (its page "Protocol").
type rspamd struct {
	cfg      Config
	base     string // URL without the path
	host     string // this server
	password string
	client   *http.Client
}

func newRspamd(cfg Config, opt Options) (*rspamd, error) {
	r := &rspamd{cfg: cfg, host: opt.Hostname}
	if cfg.RejectScore < 0 || cfg.JunkScore < 0 || cfg.RejectScore > 0 && cfg.JunkScore > cfg.RejectScore {
		return nil, errors.New("reject_score, junk_score: positive, and junk below reject")
	}
	if cfg.PasswordFile != "" {
		b, err := os.ReadFile(cfg.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password_file: %w", err)
		}
		line, _, _ := strings.Cut(string(b), "\n")
		r.password = strings.TrimSpace(line)
	}
	// A connection a message: one that rspamd closes just when it is used again would make
	// a message wait for nothing.
	transport := &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}
	if strings.HasPrefix(cfg.Address, "http://") || strings.HasPrefix(cfg.Address, "https://") {
		u, err := url.Parse(cfg.Address)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("address %q: a URL such as http://127.0.0.1:11333 is needed", cfg.Address)
		}
		r.base, transport.DialContext = strings.TrimRight(cfg.Address, "/"), opt.Dial
	} else {
		at, err := parseTarget(cfg.Address)
		if err != nil {
			return nil, err
		}
		r.base = "http://rspamd"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return opt.Dial(ctx, at.network, at.address)
		}
	}
	r.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return r, nil
}

// Check asks about the message.
func (r *rspamd) Check(ctx context.Context, m *Mail) (*Outcome, error) {
	h, err := m.header()
	if err != nil {
		return nil, err
	}
	head, size := h.visible(), m.Index.Size-m.contentStart()
	body := io.MultiReader(bytes.NewReader(head), io.NewSectionReader(m.Body, m.contentStart(), size))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+"/checkv2", body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = int64(len(head)) + size
	r.describe(req.Header, m)
	answer, err := r.do(req)
	if err != nil {
		return nil, err
	}
	a, err := parseRspamd(answer)
	if err != nil {
		return nil, err
	}
	return a.outcome(&r.cfg, h), nil
}

// describe sets the request headers.
func (r *rspamd) describe(h http.Header, m *Mail) {
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("From", "<"+m.From+">")
	for _, to := range m.To {
		h.Add("Rcpt", "<"+to+">")
	}
	if m.IP.IsValid() {
		set("IP", m.IP.Unmap().String())
	}
	set("Helo", m.HELO)
	set("Hostname", m.Hostname)
	set("User", m.Account)
	set("Queue-Id", m.ID)
	set("MTA-Name", r.host)
	version, cipher := m.tls()
	set("TLS-Version", version)
	set("TLS-Cipher", cipher)
	set("Password", r.password)
	if r.cfg.AgencySettings {
		set("Settings-ID", m.Agency)
	}
}

// do sends a request and reads an answer that is not too long.
func (r *rspamd) do(req *http.Request) ([]byte, error) {
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, rspamdAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > rspamdAnswer:
		return nil, fmt.Errorf("rspamd's answer has more than %d octets", rspamdAnswer)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("rspamd answered %d: %s", resp.StatusCode, plain(string(b[:min(len(b), 200)])))
	}
	return b, nil
}

// probe asks for pong. rspamd tells its version to its controller alone.
func (r *rspamd) probe(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+"/ping", nil)
	if err != nil {
		return "", err
	}
	b, err := r.do(req)
	if err == nil && strings.TrimSpace(string(b)) != "pong" {
		err = fmt.Errorf("rspamd answered %q to /ping", plain(string(b)))
	}
	if err != nil {
		return "", err
	}
	return "rspamd", nil
}

// Close ends idle connections.
func (r *rspamd) Close() error {
	r.client.CloseIdleConnections()
	return nil
}
