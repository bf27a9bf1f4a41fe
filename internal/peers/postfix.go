package peers

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// PostfixOptions say what a Postfix is for.
type PostfixOptions struct {
	Hostname string // in its greeting, EHLO and Received; postfix.test

	// Domains have their mailboxes here: those of Users or, without any, every address.
	Domains []string
	Users   []string
	// RelayDomains are taken for others: Transport says where they go.
	RelayDomains []string
	// Transport maps a domain or address, "*" for all, to where its mail goes, such as
	// "smtp:[127.0.0.1]:2525". An address of Domains that stands here is a user.
	Transport map[string]string
	// Relay lets loopback clients send to everybody, as a submission server would.
	Relay bool
	// Main overrides or adds parameters of main.cf, such as smtpd_tls_cert_file.
	Main map[string]string
}

// PostfixServer is a running Postfix.
type PostfixServer struct {
	*Process
	Address string // host:port of smtpd
	Port    int

	dir, conf string
}

// Postfix runs one with its own configuration, queue and mailboxes. It asks no DNS: where
// mail goes elsewhere, Transport or relayhost in Main name it. It tries again after five
// seconds. Postfix needs root: without, the test skips.
func Postfix(t testing.TB, o PostfixOptions) *PostfixServer {
	t.Helper()
	Need(t, "postfix", "postconf", "sendmail")
	if os.Getuid() != 0 {
		t.Skip("postfix is started by root alone")
	}
	dir := Dir(t)
	p := &PostfixServer{dir: dir, conf: filepath.Join(dir, "conf"), Port: Port(t)}
	p.Address = local(p.Port)
	for _, d := range []string{"conf", "queue", "queue/private", "data", "mail"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	owner(t, "postfix", filepath.Join(dir, "data"), filepath.Join(dir, "queue/private"))
	owner(t, "nobody", filepath.Join(dir, "mail"))
	write(t, p.conf, "main.cf", o.main(t, dir))
	write(t, p.conf, "master.cf", fmt.Sprintf(masterCF, p.Address))
	write(t, p.conf, "mailboxes", o.mailboxes())
	write(t, p.conf, "transport", lines(o.Transport, " "))
	run(t, "postfix", "-c", p.conf, "check") // makes what the queue lacks
	// postfix start-fg would stand before master, which is the one to stop.
	p.Process = start(t, dir, filepath.Join(postconf(t, "daemon_directory"), "master"), "-c", p.conf, "-s")
	p.logs = append(p.logs, filepath.Join(dir, "maillog"))
	p.await(t, func() error {
		c, err := net.DialTimeout("tcp", p.Address, time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _, err = textproto.NewReader(bufio.NewReader(c)).ReadResponse(220)
		return err
	})
	return p
}

// main is main.cf.
func (o *PostfixOptions) main(t testing.TB, dir string) string {
	t.Helper()
	hostname := o.Hostname
	if hostname == "" {
		hostname = "postfix.test"
	}
	networks := ""
	if o.Relay {
		networks = "127.0.0.0/8"
	}
	param := map[string]string{
		"compatibility_level":      "3.6",
		"queue_directory":          dir + "/queue",
		"data_directory":           dir + "/data",
		"daemon_directory":         postconf(t, "daemon_directory"),
		"command_directory":        postconf(t, "command_directory"),
		"mail_owner":               "postfix",
		"setgid_group":             "postdrop",
		"maillog_file":             dir + "/maillog",
		"maillog_file_prefixes":    dir,
		"myhostname":               hostname,
		"myorigin":                 hostname,
		"mydestination":            "",
		"inet_interfaces":          "127.0.0.1",
		"inet_protocols":           "ipv4",
		"mynetworks":               networks,
		"smtpd_peername_lookup":    "no",
		"smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
		"smtp_dns_support_level":   "disabled",
		"smtp_tls_security_level":  "none",
		"alias_maps":               "",
		"alias_database":           "",
		"virtual_mailbox_domains":  strings.Join(o.Domains, ", "),
		"virtual_mailbox_base":     dir + "/mail",
		"virtual_mailbox_maps":     "texthash:" + dir + "/conf/mailboxes",
		"virtual_uid_maps":         "static:65534",
		"virtual_gid_maps":         "static:65534",
		"relay_domains":            strings.Join(o.RelayDomains, ", "),
		"relay_recipient_maps":     "",
		"transport_maps":           "texthash:" + dir + "/conf/transport",
		"message_size_limit":       "52428800",
		"mailbox_size_limit":       "0",
		"virtual_mailbox_limit":    "0",
		"in_flow_delay":            "0",
		"queue_run_delay":          "5s",
		"minimal_backoff_time":     "5s",
		"maximal_backoff_time":     "10s",
	}
	if len(o.Users) == 0 {
		param["virtual_mailbox_maps"] = "static:all/"
	}
	maps.Copy(param, o.Main)
	return lines(param, " = ")
}

// mailboxes says which addresses there are. All of them share a Maildir: what is whose
// stands in Delivered-To.
func (o *PostfixOptions) mailboxes() string {
	users := map[string]string{}
	for _, u := range o.Users {
		users[u] = "all/"
	}
	for name := range o.Transport {
		if strings.Contains(name, "@") {
			users[name] = "all/"
		}
	}
	return lines(users, " ")
}

// lines is a file of a key and its value a line.
func lines(m map[string]string, between string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b.WriteString(k + between + m[k] + "\n")
	}
	return b.String()
}

// postconf is what this Postfix was built with.
func postconf(t testing.TB, name string) string {
	t.Helper()
	out, err := exec.Command(path("postconf"), "-d", "-h", name).Output()
	if err != nil {
		t.Fatalf("postconf: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// Send hands a message to Postfix as a local program does, with sendmail. Its lines may
// end with LF or CRLF.
func (p *PostfixServer) Send(t testing.TB, from string, to []string, message string) {
	t.Helper()
	cmd := exec.Command(path("sendmail"), append([]string{"-C", p.conf, "-oi", "-f", from, "--"}, to...)...)
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(message, "\r\n", "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sendmail: %v\n%s", err, out)
	}
}

// Mail waits until an address of Domains has n messages, and gives them, in no order,
// with LF at the ends of lines and Postfix's Return-Path, X-Original-To and Delivered-To
// on top. More than n is an error, as is waiting for too long.
func (p *PostfixServer) Mail(t testing.TB, address string, n int) []string {
	t.Helper()
	var got []string
	err := poll(p.over, func() (err error) {
		if got, err = p.mailbox(address); err == nil && len(got) < n {
			err = fmt.Errorf("%s has %d messages, not %d", address, len(got), n)
		}
		return err
	})
	if err != nil || len(got) > n {
		t.Fatalf("%s: %v; it has %d messages, want %d\nqueue:\n%s\nlog:\n%s", address, err, len(got), n, p.Queue(), p.Log())
	}
	return got
}

func (p *PostfixServer) mailbox(address string) ([]string, error) {
	dir := filepath.Join(p.dir, "mail", "all", "new")
	files, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var out []string
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		header, _, _ := strings.Cut(string(b), "\n\n")
		if strings.Contains("\n"+header+"\n", "\nDelivered-To: "+address+"\n") {
			out = append(out, string(b))
		}
	}
	return out, nil
}

// Queue is what mailq prints.
func (p *PostfixServer) Queue() string { return p.command("postqueue", "-c", p.conf, "-p") }

// Flush has it try everything in its queue now.
func (p *PostfixServer) Flush() { p.command("postqueue", "-c", p.conf, "-f") }

// SetTransport changes where mail goes, for messages from now on.
func (p *PostfixServer) SetTransport(t testing.TB, transport map[string]string) {
	t.Helper()
	write(t, p.conf, "transport", lines(transport, " "))
	p.command("postfix", "-c", p.conf, "reload")
}

func (p *PostfixServer) command(argv ...string) string {
	var out bytes.Buffer
	cmd := exec.Command(path(argv[0]), argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(&out, "%s: %v", argv[0], err)
	}
	return out.String()
}

// masterCF is master.cf without what a test does not use. Nothing runs in a chroot.
const masterCF = `%s inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`
