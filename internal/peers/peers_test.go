package peers

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// What the constants promise, rspamd does.
func TestRspamdKnowsItsPatterns(t *testing.T) {
	r := Rspamd(t)
	for pattern, action := range map[string]string{GTUBEReject: "reject", GTUBEJunk: "add header", GTUBESubject: "rewrite subject"} {
		mail := "From: a@luar.test\r\nTo: b@dalam.test\r\nSubject: cuba\r\n\r\n" + GTUBE(pattern) + "\r\n"
		resp, err := http.Post("http://"+r.Address+"/checkv2", "", strings.NewReader(mail))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(body), `"action":"`+action+`"`) {
			t.Errorf("%s: got %s, %v; want the action %q", pattern, body, err, action)
		}
	}
}

func TestMiltersStart(t *testing.T) {
	OpenDKIM(t, "dalam.test", "mx.dalam.test")
	ClamavMilter(t, Clamd(t, 0), "Reject")
}

func TestEICARIsWhole(t *testing.T) {
	if n := len(EICAR()); n != 68 {
		t.Fatalf("the EICAR file has 68 octets, not %d", n)
	}
}
