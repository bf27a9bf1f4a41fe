package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sampul/internal/dnstest"
	"sampul/internal/peers"
)

// tlsReport is what is looked at of RFC 8460's report.
type tlsReport struct {
	Policies []struct {
		Policy struct {
			Type   string `json:"policy-type"`
			Domain string `json:"policy-domain"`
		} `json:"policy"`
		Summary struct {
			Success int `json:"total-successful-session-count"`
			Failure int `json:"total-failure-session-count"`
		} `json:"summary"`
		Failures []struct {
			Type  string `json:"result-type"`
			Count int    `json:"failed-session-count"`
		} `json:"failure-details"`
	} `json:"policies"`
}

// failures of a policy type that the report counts.
func (r *running) tlsFailures(domain, policy string) (types []string) {
	r.t.Helper()
	var rep tlsReport
	if err := json.Unmarshal([]byte(r.do("report", "tlsrpt", "--domain", domain, "--now", "--json")), &rep); err != nil {
		r.t.Fatal(err)
	}
	for _, p := range rep.Policies {
		if p.Policy.Type != policy || p.Summary.Failure == 0 {
			continue
		}
		for _, f := range p.Failures {
			types = append(types, f.Type)
		}
	}
	return types
}

// servePolicy is the MTA-STS policy of jauh.test.
func servePolicy(t *testing.T, tc *tls.Config, mode string) (port int) {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", tc)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/.well-known/mta-sts.txt" {
			http.NotFound(w, q)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "version: STSv1\r\nmode: %s\r\nmx: mx.jauh.test\r\nmax_age: 86400\r\n", mode)
	})}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return ln.Addr().(*net.TCPAddr).Port
}

const stsZone = `
jauh.test. IN MX 10 mx.jauh.test.
mx.jauh.test. IN A 127.0.2.1
_mta-sts.jauh.test. IN TXT "v=STSv1; id=20261124T000000;"
mta-sts.jauh.test. IN A 127.0.0.1
`

// A destination whose MTA-STS policy is to be enforced and whose certificate is bad gets
// nothing; the queue says why, and the report counts it. With testing it gets its mail,
// and is counted all the same.
func TestMTASTS(t *testing.T) {
	for _, c := range []struct {
		mode, name string
		until      time.Duration
		failure    string // "" when the mail is to arrive with nothing to report
		arrives    bool
	}{
		{"enforce", "mx.jauh.test", time.Hour, "", true},
		{"enforce", "lain.jauh.test", time.Hour, "certificate-host-mismatch", false},
		{"enforce", "mx.jauh.test", -time.Hour, "certificate-expired", false},
		{"testing", "lain.jauh.test", time.Hour, "certificate-host-mismatch", true},
	} {
		t.Run(c.mode+" "+c.name+" "+c.failure, func(t *testing.T) {
			ca := newAuthority(t)
			port := freePort(t, "127.0.2.1")
			mx := startRemote(t, "127.0.2.1", port, ca.issue(time.Now().Add(c.until), c.name))
			https := servePolicy(t, ca.issue(time.Now().Add(time.Hour), "mta-sts.jauh.test"), c.mode)
			zone := dnstest.New(t, stsZone)
			r := demoOut(t, zone, port, "--https-port", fmt.Sprint(https), "--trust-ca", ca.file)
			if err := r.submit("pegawai1@agensi-a.test", []string{"a@jauh.test"}, note("pegawai1@agensi-a.test", "a@jauh.test", "Rahsia dapur")); err != nil {
				t.Fatal(err)
			}
			if c.arrives {
				if got := mx.wait(t, 1); !got[0].tls {
					t.Error("in clear text")
				}
			} else {
				eventually(t, "the reason", func() bool {
					q := r.queue()
					return len(q) == 1 && strings.Contains(q[0].Recipients[0].Text, "MTA-STS")
				})
				rc := r.queue()[0].Recipients[0]
				t.Logf("queue: %s %q tls %q", rc.Enhanced, rc.Text, rc.TLS)
				if got := mx.mails(); len(got) != 0 {
					t.Errorf("it got %+v", got)
				}
			}
			got := r.tlsFailures("jauh.test", "sts")
			if c.failure == "" && len(got) > 0 || c.failure != "" && strings.Join(got, " ") != c.failure {
				t.Errorf("failures in the report: %v, want %q", got, c.failure)
			}
		})
	}
}

// A destination that offers no TLS at all, with a policy to be enforced.
func TestMTASTSWithoutTLS(t *testing.T) {
	ca := newAuthority(t)
	port := freePort(t, "127.0.2.1")
	mx := startRemote(t, "127.0.2.1", port, nil)
	https := servePolicy(t, ca.issue(time.Now().Add(time.Hour), "mta-sts.jauh.test"), "enforce")
	r := demoOut(t, dnstest.New(t, stsZone), port, "--https-port", fmt.Sprint(https), "--trust-ca", ca.file)
	if err := r.submit("pegawai1@agensi-a.test", []string{"a@jauh.test"}, note("pegawai1@agensi-a.test", "a@jauh.test", "Tanpa TLS")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the failure in the report", func() bool {
		return strings.Join(r.tlsFailures("jauh.test", "sts"), " ") == "starttls-not-supported"
	})
	if got := mx.mails(); len(got) != 0 {
		t.Errorf("it got %+v", got)
	}
}

// DANE with a validating resolver before a signed zone: a certificate that the records name
// gets the mail, another one gets nothing in clear text, the queue says why and the report
// counts it.
func TestDANE(t *testing.T) {
	for _, good := range []bool{true, false} {
		t.Run(fmt.Sprintf("right certificate %v", good), func(t *testing.T) {
			ca := newAuthority(t)
			tc := ca.issue(time.Now().Add(time.Hour), "lain.test") // names do not matter to DANE-EE
			named := tc
			if !good {
				named = ca.issue(time.Now().Add(time.Hour), "lain.test")
			}
			cert, err := x509.ParseCertificate(named.Certificates[0].Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			port := freePort(t, "127.0.2.2")
			mx := startRemote(t, "127.0.2.2", port, tc)
			zone := dnstest.NewSigned(t, "jauh.test", fmt.Sprintf("jauh.test. MX 10 mx.jauh.test.\nmx.jauh.test. A 127.0.2.2\n"+
				"_25._tcp.mx.jauh.test. TLSA 3 1 1 %x\n", sha256.Sum256(cert.RawSubjectPublicKeyInfo)))
			r := startDemo(t, "--resolver", peers.Unbound(t, zone.Addr, zone.Anchor), "--remote-port", fmt.Sprint(port))
			if err := r.submit("pegawai1@agensi-a.test", []string{"a@jauh.test"}, note("pegawai1@agensi-a.test", "a@jauh.test", "DANE")); err != nil {
				t.Fatal(err)
			}
			if good {
				if got := mx.wait(t, 1); !got[0].tls {
					t.Error("in clear text")
				}
				return
			}
			eventually(t, "the reason", func() bool {
				q := r.queue()
				return len(q) == 1 && strings.Contains(q[0].Recipients[0].Text, "DANE")
			})
			if got := mx.mails(); len(got) != 0 {
				t.Errorf("it got %+v", got)
			}
			if got := r.tlsFailures("jauh.test", "tlsa"); strings.Join(got, " ") != "validation-failure" {
				t.Errorf("failures in the report: %v", got)
			}
		})
	}
}
