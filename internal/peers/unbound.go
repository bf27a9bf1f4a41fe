package peers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Unbound runs unbound as a validating resolver that knows everything below test. from one
// server, HOST:PORT, and believes the trust anchors given. It gives the address to ask.
func Unbound(t testing.TB, server string, anchors ...string) (addr string) {
	t.Helper()
	Need(t, "unbound")
	dir, port := Dir(t), Port(t)
	var trust strings.Builder
	for _, a := range anchors {
		fmt.Fprintf(&trust, "  trust-anchor: %q\n", strings.Join(strings.Fields(a), " "))
	}
	conf := write(t, dir, "unbound.conf", fmt.Sprintf(`server:
  interface: 127.0.0.1
  port: %d
  username: ""
  chroot: ""
  directory: %q
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-daemonize: no
  do-ip6: no
  num-threads: 1
  do-not-query-localhost: no
  module-config: "validator iterator"
  val-log-level: 2
  local-zone: "test." nodefault
%sremote-control:
  control-enable: no
stub-zone:
  name: "test"
  stub-addr: %s
  stub-prime: no
`, port, dir, trust.String(), strings.Replace(server, ":", "@", 1)))
	p := start(t, dir, "unbound", "-d", "-c", conf)
	p.idle = true
	p.await(t, func() error {
		m := new(dns.Msg).SetQuestion("siap.test.", dns.TypeA)
		_, _, err := (&dns.Client{Timeout: time.Second}).Exchange(m, local(port))
		return err
	})
	return local(port)
}
