package route

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sampul/store"
)

var appDay = time.Date(2026, 3, 31, 9, 0, 0, 0, time.UTC)

// A reverse-path of an application names application and recipient, for three weeks.
func TestAppPath(t *testing.T) {
	b := appBounces{[]byte("rahsia suite")}
	long := strings.Repeat("nama.", 8) + "panjang@sub.kementerian.luar.test"
	for _, to := range []string{"orang@luar.test", "a=b+c@luar.test", "O'Neil@luar.test", long, `"dua kata"@luar.test`, "pengguna@münchen.test", "x@[192.0.2.1]"} {
		for _, app := range []store.AccountID{1, 31, 32, 255, 256, 70_000, 1<<63 + 5} {
			path := b.path(app, "agensi-a.test", to, appDay)
			local, domain := cut(path)
			if len(local) > 64 || !dotAtom(local) || domain != "agensi-a.test" {
				t.Fatalf("%s of %d: %s", to, app, path)
			}
			for _, form := range []string{local, strings.ToUpper(local), strings.ToLower(local)} {
				got, err := b.parse(form, appDay.Add(21*24*time.Hour))
				if err != nil || got.App != app || !got.Matches(to) || got.Matches("x"+to) || got.Recipient != "" && !strings.EqualFold(got.Recipient, to) {
					t.Fatalf("%s: %+v, %v", form, got, err)
				}
			}
			if _, err := b.parse(local, appDay.Add(22*24*time.Hour)); !errors.Is(err, errExpired) {
				t.Errorf("%s after 22 days: %v", local, err)
			}
			if _, err := b.parse(local, appDay.Add(-24*time.Hour)); err != nil {
				t.Errorf("%s on a clock a day behind: %v", local, err)
			}
			other := appBounces{[]byte("rahsia lain")}
			if _, err := other.parse(local, appDay); !errors.Is(err, errForged) {
				t.Errorf("%s by another suite: %v", local, err)
			}
			for i := 3; i < len(local); i++ { // a letter changed anywhere
				bad := []byte(local)
				if bad[i] = 'q'; local[i]|0x20 == 'q' {
					bad[i] = 'z'
				}
				if got, err := b.parse(string(bad), appDay); err == nil {
					t.Fatalf("%s is %+v", bad, got)
				}
			}
		}
	}
	for _, s := range []string{"", "b0=", "b1=====", "b0=aaaaaaaaaa=aa==x=y", "b0=aaaaaaaaaa=aa=aaaaaaaaaaaaaaaaaaaa=x=y", "b0=aaaaaaaaaa=11=ae=x=y"} {
		if got, err := b.parse(s, appDay); err == nil {
			t.Errorf("%q is %+v", s, got)
		}
	}
}

// A bounce address leads to nobody: only what has no reverse-path is taken, and read.
func TestAppBounceAtRcpt(t *testing.T) {
	r := New(Options{Directory: world(), Clock: func() time.Time { return now }})
	path, err := r.AppPath(context.Background(), 7, "notis@a.test", "orang@luar.test")
	if err != nil || path == "" {
		t.Fatal(path, err)
	}
	for _, c := range []struct{ address, from, refused string }{
		{path, "", ""},
		{path, "orang@luar.test", "5.7.1"},
		{strings.Replace(path, "orang", "arang", 1), "", "5.1.1"},
		{"b0=" + path, "", "5.1.1"},
	} {
		d, err := r.Rcpt(context.Background(), Request{Address: c.address, From: c.from})
		if err != nil {
			t.Fatal(err)
		}
		if c.refused != "" {
			if d.Refused == nil || d.Refused.Enhanced != c.refused || d.Bounce != nil {
				t.Errorf("%s from <%s>: %+v", c.address, c.from, d)
			}
			continue
		}
		if d.Refused != nil || len(d.Recipients) != 0 || d.Bounce == nil || d.Bounce.App != 7 || d.Bounce.Recipient != "orang@luar.test" {
			t.Errorf("%s: %+v", c.address, d)
		}
	}
	for _, from := range []string{"orang@luar.test", ""} {
		if path, err := r.AppPath(context.Background(), 7, from, "orang@luar.test"); path != "" || err != nil {
			t.Errorf("on a domain that is not ours: %q, %v", path, err)
		}
	}
}

func FuzzAppPath(f *testing.F) {
	b := appBounces{[]byte("rahsia suite")}
	local, _ := cut(b.path(300, "agensi-a.test", "orang@luar.test", appDay))
	f.Add(local, "orang@luar.test")
	f.Add("b1=aaaaaaaaaa=aa=ae=aaaaaaaaaaaaaaaaaaaa", "x")
	f.Fuzz(func(t *testing.T, in, to string) {
		if got, err := b.parse(in, appDay); err == nil {
			back, _ := cut(b.path(got.App, "a.test", got.Recipient, appDay))
			if got.Recipient != "" && !strings.EqualFold(back, in) && dayLetters(appDay) == got.day {
				t.Fatalf("%q is read as %+v, which is %q", in, got, back)
			}
		}
		if path := b.path(9, "a.test", to, appDay); path != "" {
			local, _ := cut(path)
			if got, err := b.parse(local, appDay); err != nil || got.App != 9 || !got.Matches(to) {
				t.Fatalf("%q: %s: %+v, %v", to, path, got, err)
			}
		}
	})
}
