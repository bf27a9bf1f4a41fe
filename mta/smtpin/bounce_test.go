package smtpin

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"sampul/mta/route"
)

// bounceAddress is a router that has one address for bounces.
type bounceAddress struct{ maps }

func (b bounceAddress) Rcpt(ctx context.Context, r route.Request) (*route.Decision, error) {
	if r.Address == "b0=x@agensi-a.test" {
		return &route.Decision{Address: r.Address, Agency: "agensi-a", Bounce: &route.AppBounce{App: 7, Recipient: "orang@luar.test"}}, nil
	}
	return b.maps.Rcpt(ctx, r)
}

// A bounce of an application is read, and neither judged nor kept; what cannot be read now comes again.
func TestBounceIsRead(t *testing.T) {
	for _, fail := range []error{nil, errors.New("rosak")} {
		f, j, n := &fake{}, &looks{}, &notes{}
		read := ""
		addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: f, Judge: j, Trace: n, Router: bounceAddress{routes},
			Bounce: func(_ context.Context, to *route.AppBounce, message io.Reader) error {
				b, err := io.ReadAll(message)
				if read = string(b); err != nil || to.App != 7 {
					t.Errorf("%+v, %v", to, err)
				}
				return fail
			}})
		c := newTalk(t, connect(t, addr))
		c.ask("", "220")
		c.ask("EHLO luar.test", "250")
		c.ask("MAIL FROM:<>", "250")
		c.ask("RCPT TO:<pegawai1@agensi-a.test>", "250")
		c.ask("RCPT TO:<b0=x@agensi-a.test>", "452 4.5.3")
		c.ask("RSET", "250")
		c.ask("MAIL FROM:<>", "250")
		c.ask("RCPT TO:<b0=x@agensi-a.test>", "250")
		c.ask("RCPT TO:<pegawai1@agensi-a.test>", "452 4.5.3")
		c.ask("RCPT TO:<b0=x@agensi-a.test>", "452 4.5.3")
		c.ask("DATA", "354")
		want := "250 2.0.0 bounce taken as "
		if fail != nil {
			want = "451 4.3.0"
		}
		c.ask("Subject: gagal\r\n\r\nisi\r\n.", want)
		c.ask("MAIL FROM:<>", "250") // the next one is a message again
		c.ask("RCPT TO:<pegawai1@agensi-a.test>", "250")
		c.ask("QUIT", "221")
		if !strings.HasSuffix(read, "isi\r\n") || len(f.got) != 0 || len(j.seen) != 0 {
			t.Errorf("read %q, %d kept, %d judged", read, len(f.got), len(j.seen))
		}
		if fail == nil && (len(n.events) == 0 || n.events[len(n.events)-1].Event != "bounce" || !slices.Contains(n.events[len(n.events)-1].To, "orang@luar.test")) {
			t.Errorf("traced: %+v", n.events)
		}
	}
	addr, _ := startWith(t, Config{Kind: MX}, Deps{Store: &fake{}, Router: bounceAddress{routes}})
	c := newTalk(t, connect(t, addr))
	c.ask("", "220")
	c.ask("EHLO luar.test", "250")
	c.ask("MAIL FROM:<>", "250")
	c.ask("RCPT TO:<b0=x@agensi-a.test>", "550 5.1.1") // nobody reads them
}
