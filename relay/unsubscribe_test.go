package relay

import (
	"strings"
	"testing"
)

func TestOneClick(t *testing.T) {
	const click = "List-Unsubscribe=One-Click"
	ticket := &Ticket{r: &Relay{d: Deps{Signs: func(domain string) bool { return domain == "a.test" }}}}
	for _, c := range []struct {
		name   string
		fields []string
		post   []string
		from   string
		bad    string // "" is good
	}{
		{"https", []string{"<https://a.test/u?x=1>"}, []string{click}, "n@a.test", ""},
		{"with mailto", []string{"<mailto:u@a.test?subject=u>, <https://a.test/u>"}, []string{click}, "n@A.test", ""},
		{"folded, in a comment, with commas", []string{"(klik) <mailto:u@a.test>,\r\n\t<https://a.test/\r\n u,v,w> (a, <b>)"}, []string{"List-Unsubscribe=\r\n One-Click"}, "n@a.test", ""},
		{"any case", []string{"<HTTPS://a.test/u>"}, []string{strings.ToLower(click)}, "n@a.test", ""},
		{"nothing", nil, nil, "n@a.test", "one List-Unsubscribe, not 0"},
		{"no post", []string{"<https://a.test/u>"}, nil, "n@a.test", "one List-Unsubscribe-Post, not 0"},
		{"twice", []string{"<https://a.test/u>", "<https://jahat.test/u>"}, []string{click}, "n@a.test", "one List-Unsubscribe, not 2"},
		{"post twice", []string{"<https://a.test/u>"}, []string{click, click}, "n@a.test", "one List-Unsubscribe-Post, not 2"},
		{"other post", []string{"<https://a.test/u>"}, []string{"List-Unsubscribe=Two-Clicks"}, "n@a.test", "must say"},
		{"mailto alone", []string{"<mailto:u@a.test>"}, []string{click}, "n@a.test", "one https URI"},
		{"http", []string{"<http://a.test/u>"}, []string{click}, "n@a.test", "one https URI"},
		{"http beside https", []string{"<https://a.test/u>, <http://a.test/u>"}, []string{click}, "n@a.test", "one https URI"},
		{"two of https", []string{"<https://a.test/u>, <https://b.test/u>"}, []string{click}, "n@a.test", "one https URI"},
		{"no host", []string{"<https:///u>"}, []string{click}, "n@a.test", "one https URI"},
		{"no brackets", []string{"https://a.test/u"}, []string{click}, "n@a.test", "one https URI"},
		{"left open", []string{"<https://a.test/u"}, []string{click}, "n@a.test", "one https URI"},
		{"in a comment", []string{"(<https://a.test/u>)"}, []string{click}, "n@a.test", "one https URI"},
		{"comment left open", []string{"<https://a.test/u> (x"}, []string{click}, "n@a.test", "one https URI"},
		{"too many", []string{strings.Repeat("<mailto:u@a.test>,", 20) + "<https://a.test/u>"}, []string{click}, "n@a.test", "one https URI"},
		{"not signed", []string{"<https://a.test/u>"}, []string{click}, "n@b.test", "b.test has no DKIM key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ticket.oneClick(&Header{From: []string{c.from}, Unsubscribe: c.fields, UnsubPost: c.post})
			switch {
			case r == nil && c.bad != "":
				t.Errorf("taken, want %q", c.bad)
			case r != nil && (c.bad == "" || !strings.Contains(r.Text, c.bad) || r.Reason != ReasonUnsubscribe):
				t.Errorf("%s: %s, want %q", r.Reason, r.Text, c.bad)
			}
		})
	}
}
