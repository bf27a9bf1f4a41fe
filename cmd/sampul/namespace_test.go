package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sampul/internal/dnstest"
)

// A host is a machine of the test's own: a network namespace with a link to us.
type host struct {
	t      *testing.T
	name   string
	v4, v6 string // its addresses
}

// newHost makes one. It needs root; where namespaces cannot be made the test skips.
func newHost(t *testing.T, n int) *host {
	t.Helper()
	need(t, "ip")
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	pid := os.Getpid() // so that two runs at a time do not meet
	id := fmt.Sprintf("%d-%d", pid%10000, n)
	four, six := fmt.Sprintf("10.%d.%d.", 128+pid%100, n), fmt.Sprintf("fd13:%d:%d::", pid%10000, n)
	h := &host{t: t, name: "sampul-" + id, v4: four + "2", v6: six + "2"}
	if out, err := exec.Command("ip", "netns", "add", h.name).CombinedOutput(); err != nil {
		t.Skipf("network namespaces cannot be made here: %s", out)
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", h.name).Run() }) // its end of the link goes with it
	ours, theirs := "sa"+id, "sb"+id
	for _, args := range []string{
		"link add " + ours + " type veth peer name " + theirs + " netns " + h.name,
		"addr add " + four + "1/24 dev " + ours,
		"addr add " + six + "1/64 dev " + ours + " nodad",
		"link set " + ours + " up",
		"-n " + h.name + " link set lo up",
		"-n " + h.name + " addr add " + h.v4 + "/24 dev " + theirs,
		"-n " + h.name + " addr add " + h.v6 + "/64 dev " + theirs + " nodad",
		"-n " + h.name + " link set " + theirs + " up",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
	return h
}

// listen opens a port of the host. A socket stays in the namespace that it was made in.
func (h *host) listen(address string) net.Listener {
	h.t.Helper()
	type result struct {
		ln  net.Listener
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread has changed, and ends with this goroutine
		ns, err := os.Open("/run/netns/" + h.name)
		if err == nil {
			defer ns.Close()
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			done <- result{nil, err}
			return
		}
		ln, err := net.Listen("tcp", address)
		done <- result{ln, err}
	}()
	r := <-done
	if r.err != nil {
		h.t.Fatal(r.err)
	}
	return r.ln
}

// Hosts with addresses of their own, on port 25: the first exchanger refuses connections by
// both families, the second is there by IPv6 alone.
func TestHostsOfTheirOwn(t *testing.T) {
	dead, living := newHost(t, 1), newHost(t, 2)
	mx := serveRemote(t, living.listen("["+living.v6+"]:25"), nil)
	zone := dnstest.New(t, fmt.Sprintf(`
jauh.test. IN MX 10 mati.jauh.test.
jauh.test. IN MX 20 hidup.jauh.test.
mati.jauh.test. IN A %s
mati.jauh.test. IN AAAA %s
hidup.jauh.test. IN A %s
hidup.jauh.test. IN AAAA %s
`, dead.v4, dead.v6, living.v4, living.v6))
	r := startDemo(t, "--resolver", zone.Addr)
	if err := r.submit("pegawai1@agensi-a.test", []string{"a@jauh.test"}, note("pegawai1@agensi-a.test", "a@jauh.test", "Jauh")); err != nil {
		t.Fatal(err)
	}
	if got := mx.wait(t, 1); len(got) != 1 || got[0].to[0] != "a@jauh.test" {
		t.Errorf("got %+v", got)
	}
	eventually(t, "an empty queue", func() bool { return len(r.queue()) == 0 })
	for _, e := range lines[story](r, "trace", "a@jauh.test")[0].Events {
		if e.Event == "delivered" && !strings.Contains(e.Host, living.v6) {
			t.Errorf("delivered to %s", e.Host)
		}
	}
}
