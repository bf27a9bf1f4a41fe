package sts

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// ourAge is the max_age of policies that we serve: two weeks, as RFC 8461 section 5.1 has
// it for domains that mean it.
const ourAge = 14 * 24 * time.Hour

// Ours is the policy of a domain hosted here.
func Ours(mx []string, mode string) *Policy {
	p := &Policy{Mode: Mode(mode), MaxAge: ourAge}
	for _, m := range mx {
		p.MX = append(p.MX, strings.ToLower(strings.TrimSuffix(m, ".")))
	}
	return p
}

// PolicyID is for the record at _mta-sts.DOMAIN. It changes when the policy does.
func PolicyID(p *Policy) string {
	sum := sha256.Sum256([]byte(p.String()))
	return hex.EncodeToString(sum[:10])
}

// Record is the text to publish at _mta-sts.DOMAIN.
func Record(p *Policy) string { return "v=STSv1; id=" + PolicyID(p) + ";" }

// Handler answers for mta-sts.DOMAIN of every domain that lookup knows, and 404 to all else.
func Handler(lookup func(domain string) (mx []string, mode string, ok bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := strings.ToLower(r.Host)
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		domain, ok := strings.CutPrefix(strings.TrimSuffix(host, "."), "mta-sts.")
		if !ok || r.URL.Path != "/.well-known/mta-sts.txt" {
			http.NotFound(w, r)
			return
		}
		mx, mode, ok := lookup(domain)
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "GET only", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		io.WriteString(w, Ours(mx, mode).String())
	})
}
