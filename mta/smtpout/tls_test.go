package smtpout

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sampul/internal/dns"
	"sampul/mta/sts"
	"sampul/mta/tlsrpt"
)

const hour = time.Hour

// host1 is a domain with one exchanger.
const host1 = "jauh.test. MX 10 mx1.jauh.test.\nmx1.jauh.test. A 127.0.0.1\n"

// counted is what the report of jauh.test says: type, successes, failures, result types.
func counted(r *tlsrpt.Recorder) string {
	var out []string
	for _, p := range r.Report("jauh.test", time.Now(), "ujian", "").Policies {
		s := fmt.Sprintf("%s %d/%d", p.Policy.Type, p.Summary.Success, p.Summary.Failure)
		for _, f := range p.Failures {
			s += " " + f.Result
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

// What TLS comes to, by the configuration and by what the other side has, without DNSSEC or MTA-STS.
func TestSecurity(t *testing.T) {
	ca := newCA(t)
	good, expired, wrong := ca.leaf(hour, "mx1.jauh.test"), ca.leaf(-hour, "mx1.jauh.test"), ca.leaf(hour, "mx1.lain.test")
	stranger := newCA(t).leaf(hour, "mx1.jauh.test")
	for _, tt := range []struct {
		name   string
		sec    Security
		mx     *fakeMX
		want   string
		tls    string // prefix
		report string
	}{
		{"good", "", &fakeMX{tls: good}, "delivered dot 2.0.0", "TLS 1.3, unverified", "no-policy-found 1/0"},
		{"expired, and nobody asks", "", &fakeMX{tls: expired}, "delivered dot 2.0.0", "TLS 1.3, unverified", "no-policy-found 1/0"},
		{"not offered", "", &fakeMX{}, "delivered dot 2.0.0", "none", "no-policy-found 0/1 starttls-not-supported"},
		{"not wanted", NoTLS, &fakeMX{tls: good}, "delivered dot 2.0.0", "none", ""},
		{"mixed case", Verified, &fakeMX{tls: good, ehlo: []string{"StartTls"}}, "delivered dot 2.0.0", "TLS 1.3, verified", "no-policy-found 1/0"},
		{"STARTTLS refused, and nobody asks", "", &fakeMX{tls: good, on: refuse("STARTTLS", "454 4.7.0 not now")}, "delivered dot 2.0.0", "none", "no-policy-found 0/1 starttls-not-supported"},
		{"STARTTLS refused", Verified, &fakeMX{tls: good, on: refuse("STARTTLS", "454 4.7.0 not now")}, "temporary starttls 4.7.4", "required by the configuration", "no-policy-found 0/1 starttls-not-supported"},
		{"handshake fails, and nobody asks", "", &fakeMX{tls: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, net.ErrClosed }}},
			"delivered dot 2.0.0", "none (", "no-policy-found 0/1 validation-failure"},
		{"octets behind the answer to STARTTLS", Verified, &fakeMX{tls: good, on: refuse("STARTTLS", "220 go ahead\r\n250-mx.jauh.test\r\n250 AUTH PLAIN")},
			"temporary starttls 4.7.0", "required by the configuration", "no-policy-found 0/1 validation-failure"},
		{"verified", Verified, &fakeMX{tls: good}, "delivered dot 2.0.0", "TLS 1.3, verified", "no-policy-found 1/0"},
		{"verified, by the domain's own name", Verified, &fakeMX{tls: ca.leaf(hour, "jauh.test")}, "delivered dot 2.0.0", "TLS 1.3, verified", "no-policy-found 1/0"},
		{"verified, expired", Verified, &fakeMX{tls: expired}, "temporary starttls 4.7.5", "required by the configuration", "no-policy-found 0/1 certificate-expired"},
		{"verified, wrong name", Verified, &fakeMX{tls: wrong}, "temporary starttls 4.7.5", "required by the configuration", "no-policy-found 0/1 certificate-host-mismatch"},
		{"verified, unknown CA", Verified, &fakeMX{tls: stranger}, "temporary starttls 4.7.5", "required by the configuration", "no-policy-found 0/1 certificate-not-trusted"},
		{"verified, not offered", Verified, &fakeMX{}, "temporary starttls 4.7.4", "required by the configuration", "no-policy-found 0/1 starttls-not-supported"},
		{"dane-only, no DNSSEC", DANEOnly, &fakeMX{tls: good}, "temporary policy 4.7.4", "required by dane-only", "no-policy-found 0/1 dane-required"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := tlsrpt.New(nil, nil, nil)
			p, _ := world(t, host1, Options{TrustCA: ca.pool, Report: rec, SecurityFor: func(string) Security { return tt.sec }}, tt.mx)
			got := p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0]
			if got.line() != tt.want || !strings.HasPrefix(got.TLS, tt.tls) {
				t.Errorf("got %q, TLS %q (%s); want %q, %q", got.line(), got.TLS, got.Text, tt.want, tt.tls)
			}
			if c := counted(rec); c != tt.report {
				t.Errorf("report %q, want %q", c, tt.report)
			}
			for _, d := range tt.mx.deliveries() {
				if d.tls != strings.HasPrefix(tt.tls, "TLS") {
					t.Errorf("arrived over TLS: %v", d.tls)
				}
			}
			if !got.Delivered && len(tt.mx.deliveries()) > 0 {
				t.Error("it arrived all the same")
			}
		})
	}
}

// A name from an answer that nobody validated proves nothing: an exchanger of another domain
// has to show the recipients' domain.
func TestVerifiedElsewhere(t *testing.T) {
	ca := newCA(t)
	const zone = "jauh.test. MX 10 mx1.penyedia.test.\nmx1.penyedia.test. A 127.0.0.1\n"
	for _, tt := range []struct {
		name, cert string
		secure     bool
		want       string
	}{
		{"host name, insecure", "mx1.penyedia.test", false, "temporary starttls 4.7.5"},
		{"host name, secure", "mx1.penyedia.test", true, "delivered dot 2.0.0"},
		{"domain, insecure", "jauh.test", false, "delivered dot 2.0.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &fakeMX{tls: ca.leaf(hour, tt.cert)}
			p, z := world(t, zone, Options{TrustCA: ca.pool}, m)
			z.Secure(tt.secure)
			got := p.Send(context.Background(), Hop{Domain: "jauh.test", Security: Verified}, letterTo("b@jauh.test"))[0]
			if got.line() != tt.want {
				t.Fatalf("got %q %s, want %q", got.line(), got.Text, tt.want)
			}
		})
	}
}

// refuse answers a verb so.
func refuse(verb, reply string) func(*peerConn, string) bool {
	return func(c *peerConn, l string) bool {
		if !strings.EqualFold(l, verb) {
			return false
		}
		c.say(reply)
		return true
	}
}

// stsServer is a web server with a policy, and the port it is on.
func stsServer(t *testing.T, ca *testCA, policy string) int {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte(policy))
	}))
	srv.TLS = ca.leaf(hour, "mta-sts.jauh.test")
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().(*net.TCPAddr).Port
}

// Mode and result of MTA-STS: testing never stops a message, and is counted like enforce.
func TestMTASTS(t *testing.T) {
	ca := newCA(t)
	const zone = host1 + "_mta-sts.jauh.test. TXT \"v=STSv1; id=1;\"\nmta-sts.jauh.test. A 127.0.0.1\n"
	good, expired, wrong := ca.leaf(hour, "mx1.jauh.test"), ca.leaf(-hour, "mx1.jauh.test"), ca.leaf(hour, "mx2.jauh.test")
	const delivered, clear = "delivered dot 2.0.0", "none"
	for _, tt := range []struct {
		mode, mx, name string
		peer           *fakeMX
		want           string
		tls            string
		report         string
	}{
		{"enforce", "mx1.jauh.test", "good", &fakeMX{tls: good}, delivered, "TLS 1.3, MTA-STS", "sts 1/0"},
		{"enforce", "*.jauh.test", "good, by pattern", &fakeMX{tls: good}, delivered, "TLS 1.3, MTA-STS", "sts 1/0"},
		{"enforce", "mx1.jauh.test", "expired", &fakeMX{tls: expired}, "temporary starttls 4.7.5", "required by MTA-STS", "sts 0/1 certificate-expired"},
		{"enforce", "mx1.jauh.test", "wrong name", &fakeMX{tls: wrong}, "temporary starttls 4.7.5", "required by MTA-STS", "sts 0/1 certificate-host-mismatch"},
		{"enforce", "mx1.jauh.test", "no STARTTLS", &fakeMX{}, "temporary starttls 4.7.4", "required by MTA-STS", "sts 0/1 starttls-not-supported"},
		{"enforce", "mx9.jauh.test", "host not listed", &fakeMX{tls: good}, "temporary policy 4.7.5", "required by MTA-STS", "sts 0/1 validation-failure"},
		{"testing", "mx1.jauh.test", "good", &fakeMX{tls: good}, delivered, "TLS 1.3, unverified", "sts 1/0"},
		{"testing", "mx1.jauh.test", "expired", &fakeMX{tls: expired}, delivered, "TLS 1.3, unverified", "sts 0/1 certificate-expired"},
		{"testing", "mx1.jauh.test", "wrong name", &fakeMX{tls: wrong}, delivered, "TLS 1.3, unverified", "sts 0/1 certificate-host-mismatch"},
		{"testing", "mx1.jauh.test", "no STARTTLS", &fakeMX{}, delivered, clear, "sts 0/1 starttls-not-supported"},
		{"testing", "mx9.jauh.test", "host not listed", &fakeMX{tls: good}, delivered, "TLS 1.3, unverified", "sts 0/1 validation-failure"},
		{"none", "mx1.jauh.test", "expired", &fakeMX{tls: expired}, delivered, "TLS 1.3, unverified", "no-policy-found 1/0"},
		{"none", "mx1.jauh.test", "no STARTTLS", &fakeMX{}, delivered, clear, "no-policy-found 0/1 starttls-not-supported"},
		{"nonsense", "mx1.jauh.test", "good", &fakeMX{tls: good}, delivered, "TLS 1.3, unverified", "sts 0/1 sts-policy-invalid"},
	} {
		t.Run(tt.mode+" "+tt.name, func(t *testing.T) {
			rec := tlsrpt.New(nil, nil, nil)
			o := Options{TrustCA: ca.pool, Report: rec}
			p, z := world(t, zone, o, tt.peer)
			port := stsServer(t, ca, "version: STSv1\nmode: "+tt.mode+"\nmx: "+tt.mx+"\nmax_age: 86400\n")
			p.STS = sts.New(sts.Options{Resolver: dns.New(z.Addr), HTTPSPort: port, TrustCA: ca.pool, AllowLoopback: true})
			got := p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0]
			if got.line() != tt.want || got.TLS != tt.tls {
				t.Errorf("got %q, TLS %q (%s); want %q, %q", got.line(), got.TLS, got.Text, tt.want, tt.tls)
			}
			if c := counted(rec); c != tt.report {
				t.Errorf("report %q, want %q", c, tt.report)
			}
			if n := len(tt.peer.deliveries()); (n == 1) != got.Delivered {
				t.Errorf("%d messages arrived, and the answer is %q", n, got.line())
			}
		})
	}
}

// DANE, RFC 7672: which records count, and what they need.
func TestDANE(t *testing.T) {
	ca := newCA(t)
	own := newCA(t) // nobody but TLSA vouches for it
	server := own.leaf(-hour, "lain.test")
	leaf := leafOf(t, server)
	named := own.leaf(hour, "mx1.jauh.test")
	other := leafOf(t, own.leaf(hour, "x.test"))
	const at = "_25._tcp.mx1.jauh.test. TLSA "
	const delivered, mismatch = "delivered dot 2.0.0", "temporary starttls 4.7.5"
	for _, tt := range []struct {
		name   string
		sec    Security
		tlsa   string
		peer   *tls.Config
		want   string
		tls    string
		report string
	}{
		{"EE key, expired and with another name", "", at + tlsa(3, 1, 1, leaf), server, delivered, "TLS 1.3, DANE", "tlsa 1/0"},
		{"EE certificate, SHA-512", "", at + tlsa(3, 0, 2, leaf), server, delivered, "TLS 1.3, DANE", "tlsa 1/0"},
		{"EE certificate, whole", "", at + tlsa(3, 0, 0, leaf), server, delivered, "TLS 1.3, DANE", "tlsa 1/0"},
		{"EE of another key", "", at + tlsa(3, 1, 1, other), server, mismatch, "required by DANE", "tlsa 0/1 validation-failure"},
		{"one of two", "", at + tlsa(3, 1, 1, other) + "\n" + at + tlsa(3, 1, 1, leaf), server, delivered, "TLS 1.3, DANE", "tlsa 1/0"},
		{"the stronger digest decides", "", at + tlsa(3, 1, 2, other) + "\n" + at + tlsa(3, 1, 1, leaf), server, mismatch, "required by DANE", "tlsa 0/1 validation-failure"},
		{"TA, name right", "", at + tlsa(2, 0, 1, own.cert), named, delivered, "TLS 1.3, DANE", "tlsa 1/0"},
		{"TA, wrong name", "", at + tlsa(2, 0, 1, own.cert), own.leaf(hour, "lain.test"), mismatch, "required by DANE", "tlsa 0/1 certificate-host-mismatch"},
		{"TA, the domain's name", "", at + tlsa(2, 1, 1, own.cert), own.leaf(hour, "jauh.test"), delivered, "TLS 1.3, DANE", "tlsa 1/0"},
		{"TA, expired", "", at + tlsa(2, 1, 1, own.cert), own.leaf(-hour, "mx1.jauh.test"), mismatch, "required by DANE", "tlsa 0/1 certificate-expired"},
		{"PKIX usages are not usable: TLS without proof", "", at + tlsa(1, 1, 1, other), server, delivered, "TLS 1.3, unverified", "tlsa 1/0"},
		{"nothing usable, no TLS", "", at + tlsa(0, 0, 1, other), nil, "temporary starttls 4.7.4", "required by DANE", "tlsa 0/1 starttls-not-supported"},
		{"nothing usable, dane-only", DANEOnly, at + tlsa(1, 1, 1, other), server, "temporary policy 4.7.5", "required by DANE", "tlsa 0/1 tlsa-invalid"},
		{"digest of a wrong length", DANEOnly, at + "3 1 1 abcd", server, "temporary policy 4.7.5", "required by DANE", "tlsa 0/1 tlsa-invalid"},
		{"no STARTTLS", "", at + tlsa(3, 1, 1, leaf), nil, "temporary starttls 4.7.4", "required by DANE", "tlsa 0/1 starttls-not-supported"},
		{"no records", DANEOnly, "", server, "temporary policy 4.7.4", "required by dane-only", "no-policy-found 0/1 dane-required"},
		{"no records, nobody asks", "", "", server, delivered, "TLS 1.3, unverified", "no-policy-found 1/0"},
		{"unverifiable records", "", "bogus", server, "temporary dns 4.7.5", "required by DANE", "tlsa 0/1 dnssec-invalid"},
		{"records that do not come", "", "fail", server, "temporary dns 4.7.5", "required by DANE", "tlsa 0/1 dane-required"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := tlsrpt.New(nil, nil, nil)
			peer := &fakeMX{tls: tt.peer}
			p, z := world(t, host1, Options{TrustCA: ca.pool, Report: rec}, peer)
			z.Secure(true)
			switch tt.tlsa {
			case "bogus":
				z.Bogus("_25._tcp.mx1.jauh.test")
			case "fail": // with validation off too
				z.Fail("_25._tcp.mx1.jauh.test")
			default:
				z.Add(tt.tlsa)
			}
			got := p.Send(context.Background(), Hop{Domain: "jauh.test", Security: tt.sec}, letterTo("b@jauh.test"))[0]
			if got.line() != tt.want || got.TLS != tt.tls {
				t.Errorf("got %q, TLS %q (%s); want %q, %q", got.line(), got.TLS, got.Text, tt.want, tt.tls)
			}
			if c := counted(rec); c != tt.report {
				t.Errorf("report %q, want %q", c, tt.report)
			}
			if n := len(peer.deliveries()); (n == 1) != got.Delivered {
				t.Errorf("%d messages arrived, and the answer is %q", n, got.line())
			}
		})
	}
}

// Without the AD bit TLSA records are not looked at: whoever forges them forges DANE.
func TestDANENeedsDNSSEC(t *testing.T) {
	own := newCA(t)
	peer := &fakeMX{tls: own.leaf(hour, "mx1.jauh.test")}
	p, z := world(t, host1, Options{}, peer)
	z.Add("_25._tcp.mx1.jauh.test. TLSA " + tlsa(3, 1, 1, own.cert)) // would not match
	if got := p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0]; !got.Delivered {
		t.Fatalf("got %+v", got)
	}
	if n := z.Asked("_25._tcp.mx1.jauh.test"); n != 0 {
		t.Errorf("asked %d times for TLSA", n)
	}
}

// The name at the end of a CNAME has the records first, then the exchanger's own (RFC 7672
// section 2.2.3).
func TestDANEAlias(t *testing.T) {
	own := newCA(t)
	server := own.leaf(hour, "n.lain.test")
	const zone = "jauh.test. MX 10 m.jauh.test.\nm.jauh.test. CNAME n.lain.test.\nn.lain.test. A 127.0.0.1\n"
	for _, at := range []string{"n.lain.test", "m.jauh.test"} {
		peer := &fakeMX{tls: server}
		p, z := world(t, zone, Options{}, peer)
		z.Secure(true)
		z.Add("_25._tcp." + at + ". TLSA " + tlsa(3, 1, 1, leafOf(t, server)))
		if got := p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0]; got.TLS != "TLS 1.3, DANE" {
			t.Errorf("records at %s: %+v", at, got)
		}
	}
}

// DANE beats MTA-STS, whichever of the two would refuse (RFC 8461 section 2).
func TestDANEBeatsMTASTS(t *testing.T) {
	ca := newCA(t)
	own := newCA(t)
	server := own.leaf(hour, "mx1.jauh.test")
	zone := host1 + "_mta-sts.jauh.test. TXT \"v=STSv1; id=1;\"\nmta-sts.jauh.test. A 127.0.0.1\n"
	peer := &fakeMX{tls: server}
	p, z := world(t, zone, Options{TrustCA: ca.pool}, peer)
	z.Secure(true)
	z.Add("_25._tcp.mx1.jauh.test. TLSA " + tlsa(3, 1, 1, leafOf(t, server)))
	port := stsServer(t, ca, "version: STSv1\nmode: enforce\nmx: mx9.jauh.test\nmax_age: 86400\n")
	p.STS = sts.New(sts.Options{Resolver: dns.New(z.Addr), HTTPSPort: port, TrustCA: ca.pool, AllowLoopback: true})
	if got := p.Send(context.Background(), jauh, letterTo("b@jauh.test"))[0]; got.TLS != "TLS 1.3, DANE" || !got.Delivered {
		t.Fatalf("got %+v", got)
	}
}

// REQUIRETLS, RFC 8689: over verified TLS to a host that is proved to serve the domain and
// offers it, or back to the sender.
func TestRequireTLS(t *testing.T) {
	ca := newCA(t)
	good := ca.leaf(hour, "mx1.jauh.test")
	with := []string{"STARTTLS", "REQUIRETLS"}
	for _, tt := range []struct {
		name   string
		secure bool
		sec    Security
		peer   *fakeMX
		want   string
	}{
		{"all there", true, "", &fakeMX{tls: good, ehlo: with}, "delivered dot 2.0.0"},
		{"host unproved", false, "", &fakeMX{tls: good, ehlo: with}, "permanent policy 5.7.30"},
		{"not offered", true, "", &fakeMX{tls: good}, "permanent policy 5.7.30"},
		{"no STARTTLS", true, "", &fakeMX{ehlo: []string{"REQUIRETLS"}}, "permanent starttls 5.7.30"},
		{"wrong name", true, "", &fakeMX{tls: ca.leaf(hour, "lain.test"), ehlo: with}, "permanent starttls 5.7.30"},
		{"TLS switched off", true, NoTLS, &fakeMX{tls: good, ehlo: with}, "permanent policy 5.7.30"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, z := world(t, host1, Options{TrustCA: ca.pool}, tt.peer)
			z.Secure(tt.secure)
			m := letterTo("b@jauh.test")
			m.RequireTLS = true
			got := p.Send(context.Background(), Hop{Domain: "jauh.test", Security: tt.sec}, m)[0]
			if got.line() != tt.want {
				t.Fatalf("got %q %s, want %q", got.line(), got.Text, tt.want)
			}
			for _, d := range tt.peer.deliveries() {
				if !strings.HasSuffix(d.mail, " REQUIRETLS") {
					t.Errorf("MAIL was %q", d.mail)
				}
			}
		})
	}
}

// Logins go over TLS alone.
func TestLogin(t *testing.T) {
	ca := newCA(t)
	for _, tt := range []struct {
		name string
		ehlo []string
		tls  bool
		want string
		say  []string // replies to AUTH and what follows it
	}{
		{"PLAIN", []string{"STARTTLS", "AUTH LOGIN PLAIN"}, true, "delivered dot 2.0.0", []string{"235 2.7.0 ok"}},
		{"LOGIN", []string{"STARTTLS", "auth login"}, true, "delivered dot 2.0.0", []string{"334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 2.7.0 ok"}},
		{"refused", []string{"STARTTLS", "AUTH PLAIN"}, true, "temporary auth 4.7.8", []string{"535 5.7.8 no"}},
		{"asks without end", []string{"STARTTLS", "AUTH PLAIN"}, true, "temporary auth 4.5.0", slicesOf("334 eA==", 20)},
		{"nothing that we know", []string{"STARTTLS", "AUTH GSSAPI"}, true, "temporary auth 4.7.0", nil},
		{"no TLS", []string{"AUTH PLAIN"}, false, "temporary auth 4.7.0", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			peer := &fakeMX{ehlo: tt.ehlo}
			if tt.tls {
				peer.tls = ca.leaf(hour, "mx1.jauh.test")
			}
			var answers []string
			left := tt.say
			peer.on = func(c *peerConn, l string) bool {
				if verb, _, _ := strings.Cut(l, " "); l == "" || verb == "EHLO" || verb == "STARTTLS" || verb == "QUIT" || len(left) == 0 {
					return false
				}
				answers = append(answers, l)
				c.say(left[0])
				left = left[1:]
				return true
			}
			p, _ := world(t, "mx1.jauh.test. A 127.0.0.1", Options{TrustCA: ca.pool}, peer)
			hop := Hop{Domain: "jauh.test", Host: fmt.Sprintf("mx1.jauh.test:%d", p.RemotePort), User: "u", Secret: "rahsia-ujian"}
			got := p.Send(context.Background(), hop, letterTo("b@jauh.test"))[0]
			if got.line() != tt.want {
				t.Fatalf("got %q %s, want %q; %q", got.line(), got.Text, tt.want, answers)
			}
			if strings.Contains(got.Text, "rahsia-ujian") {
				t.Error("the password stands in the answer")
			}
			if !tt.tls && len(answers) > 0 {
				t.Errorf("sent in clear text: %q", answers)
			}
		})
	}
}

func slicesOf(s string, n int) (out []string) {
	for range n {
		out = append(out, s)
	}
	return out
}
