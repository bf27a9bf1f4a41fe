package peers

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// The patterns that make rspamd answer with a given action. They stand in pieces, so
// that this source is no spam.
const (
	GTUBEReject  = "XJS"
	GTUBEJunk    = "YJS" // add header
	GTUBESubject = "ZJS" // rewrite subject
)

// GTUBE is the text that rspamd answers with the action of a pattern above.
func GTUBE(pattern string) string {
	return pattern + "*C4JDBQADN1.NSBN3*2IDNEN*" + strings.Join([]string{"GTUBE", "STANDARD", "ANTI", "UBE", "TEST", "EMAIL"}, "-") + "*C.34X"
}

// RspamdServer is a running rspamd.
type RspamdServer struct {
	*Process
	Address string // host:port of the worker that scans
}

// Rspamd runs rspamd without DNS, Redis or learning: it knows the patterns of [GTUBE],
// and gives each message the field X-Test-Score, with the score that X-Test-Spam: asks for
// (6 of 15: add header).
func Rspamd(t testing.TB) *RspamdServer {
	t.Helper()
	Need(t, "rspamd")
	dir, port := Dir(t), Port(t)
	write(t, dir, "rules.lua", `
rspamd_config:register_symbol({
  name = 'TEST_SPAM', type = 'normal', score = 1.0,
  callback = function(task)
    local n = tonumber(task:get_header('X-Test-Spam') or '')
    if n then return true, n end
  end,
})
rspamd_config:register_symbol({
  name = 'TEST_HEADERS', type = 'idempotent',
  callback = function(task)
    task:set_milter_reply({
      add_headers = {
        ['X-Test-Score'] = string.format('%.1f', task:get_metric_score('default')[1]),
        ['X-Test-Settings'] = {value = task:get_request_header('Settings-ID') and tostring(task:get_request_header('Settings-ID')) or 'none', order = 0},
      },
      remove_headers = {['X-Test-Remove'] = 0},
    })
  end,
})
`)
	write(t, dir, "tld", "test\n") // the full list costs seconds of compiling at each start
	conf := write(t, dir, "rspamd.conf", fmt.Sprintf(`
options {
  pidfile = "%[1]s/pid";
  rrd = "";
  control_socket = "%[1]s/control mode=0600";
  hs_cache_dir = "%[1]s";
  temp_dir = "%[1]s";
  url_tld = "%[1]s/tld";
  filters = "";
  enable_test_patterns = true;
  dns { nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 0; }
}
logging { type = "console"; level = "info"; }
actions { reject = 15; "add header" = 6; greylist = null; }
lua = "%[1]s/rules.lua";
worker "normal" { bind_socket = "%[2]s"; count = 1; enabled = true; mime = true; }
`, dir, local(port)))
	argv := []string{"rspamd", "-f", "-c", conf}
	if os.Getuid() == 0 {
		owner(t, "_rspamd", dir)
		argv = append(argv, "-u", "_rspamd", "-g", "_rspamd")
	}
	p := start(t, dir, argv...)
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	p.await(t, func() error {
		resp, err := client.Get("http://" + local(port) + "/ping")
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("rspamd answered %s to /ping", resp.Status)
		}
		return nil
	})
	return &RspamdServer{Process: p, Address: local(port)}
}
