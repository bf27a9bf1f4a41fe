package authres

import (
	"context"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"
	"gopkg.in/yaml.v3"

	"sampul/internal/dns"
	"sampul/internal/dnstest"
)

// words is one word or several.
type words []string

func (w *words) UnmarshalYAML(n *yaml.Node) error {
	var many []string
	if n.Decode(&many) == nil {
		*w = many
		return nil
	}
	var one string
	err := n.Decode(&one)
	*w = words{one}
	return err
}

type spfSuite struct {
	Description string
	Tests       map[string]struct {
		Helo, Host, MailFrom string
		Result               words
		Skip                 string
	}
	Zone map[string][]map[string]yaml.Node `yaml:"zonedata"`
}

// serve makes a zone of the suite's data. An SPF record without a TXT beside it stands for
// a TXT: the suite is older than the end of the SPF type (RFC 7208 section 3.1).
func (s *spfSuite) serve(t *testing.T) *dnstest.Zone {
	z := dnstest.New(t, "")
	for name, records := range s.Zone {
		txt := slices.ContainsFunc(records, func(r map[string]yaml.Node) bool { _, ok := r["TXT"]; return ok })
		for _, r := range records {
			for typ, node := range r {
				hdr := mdns.RR_Header{Name: escapedName(name), Class: mdns.ClassINET, Ttl: 60}
				var v words
				if typ != "MX" && node.Decode(&v) != nil {
					t.Fatalf("%s %s: %v", name, typ, node)
				}
				switch typ {
				case "TIMEOUT", "SERVFAIL", "CNAMELOOP":
					z.Fail(name)
				case "SPF", "TXT":
					if typ == "SPF" && txt {
						continue
					}
					hdr.Rrtype = mdns.TypeTXT
					if typ == "SPF" || node.Kind == yaml.SequenceNode { // strings of one record
						z.AddRR(&mdns.TXT{Hdr: hdr, Txt: escaped(v...)})
						continue
					}
					for _, one := range v {
						z.AddRR(&mdns.TXT{Hdr: hdr, Txt: escaped(one)})
					}
				case "MX":
					var pair []string
					if err := node.Decode(&pair); err != nil {
						t.Fatal(err)
					}
					v = words{pair[0] + " " + escapedName(pair[1])}
					fallthrough
				default:
					for _, one := range v {
						if typ == "PTR" || typ == "CNAME" {
							one = escapedName(one)
						}
						z.Add(escapedName(name) + " IN " + typ + " " + one)
					}
				}
			}
		}
	}
	return z
}

func escapedName(s string) string { return mdns.Fqdn(strings.ReplaceAll(s, " ", `\032`)) }

// escaped is texts as the library keeps them, in strings of at most 255 octets.
func escaped(texts ...string) []string {
	var out []string
	for _, s := range texts {
		for {
			n := min(len(s), 255)
			out = append(out, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s[:n]))
			if s = s[n:]; s == "" {
				break
			}
		}
	}
	return out
}

// The suite of RFC 7208, and those beside it, as the library carries them: its answers
// through our resolver, by a real server.
func TestSPFSuite(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "blitiri.com.ar/go/spf").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"rfc7208-tests.yml", "rfc4408-tests.yml", "blitirispf-tests.yml", "pyspf-tests.yml"} {
		t.Run(file, func(t *testing.T) {
			f, err := os.Open(filepath.Join(strings.TrimSpace(string(dir)), "testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			ran := 0
			for d := yaml.NewDecoder(f); ; {
				var s spfSuite
				if err := d.Decode(&s); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				z := s.serve(t)
				for name, tt := range s.Tests {
					if tt.Skip != "" {
						continue
					}
					ran++
					got, reason := evaluate(context.Background(), dns.New(z.Addr), netip.MustParseAddr(tt.Host), tt.Helo, tt.MailFrom)
					if !slices.Contains(tt.Result, string(got)) {
						t.Errorf("%s, %s: got %s (%s), want %v", s.Description, name, got, reason, tt.Result)
					}
				}
			}
			if ran < 10 {
				t.Errorf("only %d tests ran", ran)
			}
		})
	}
}
