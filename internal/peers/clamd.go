package peers

import (
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Signature is the name under which [Clamd] knows [EICAR].
const Signature = "Test.EICAR"

// EICAR is the harmless file that every virus scanner knows. It stands here in pieces,
// so that no scanner takes this source for one.
func EICAR() string {
	return strings.Join([]string{`X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR`, "STANDARD", "ANTIVIRUS", "TEST", "FILE!$H+H*"}, "-")
}

// Scanner is a running clamd.
type Scanner struct {
	*Process
	Unix string   // unix:/path
	TCP  string   // host:port
	Dirs []string // where it may write
}

// Clamd runs ClamAV's daemon with a single signature, that of [EICAR], made here. It
// takes streams of up to streamMax octets (0 for 30 MiB).
func Clamd(t testing.TB, streamMax int) *Scanner {
	t.Helper()
	Need(t, "clamd")
	if streamMax == 0 {
		streamMax = 30 << 20
	}
	dir, port := Dir(t), Port(t)
	temporary := memory(t)
	write(t, dir, "test.ndb", fmt.Sprintf("%s:0:*:%s\n", Signature, hex.EncodeToString([]byte(EICAR()))))
	socket := filepath.Join(dir, "s")
	conf := write(t, dir, "clamd.conf", fmt.Sprintf(`Foreground yes
LocalSocket %s
LocalSocketMode 666
TCPSocket %d
TCPAddr 127.0.0.1
DatabaseDirectory %s
TemporaryDirectory %s
StreamMaxLength %d
MaxThreads 4
SelfCheck 0
ConcurrentDatabaseReload no
LogTime yes
`, socket, port, dir, temporary, streamMax))
	p := start(t, dir, "clamd", "--config-file="+conf)
	for _, at := range [][2]string{{"unix", socket}, {"tcp", local(port)}} {
		p.await(t, func() error { return ping(at[0], at[1]) })
	}
	return &Scanner{Process: p, Unix: "unix:" + socket, TCP: local(port), Dirs: []string{dir, temporary}}
}

func ping(network, address string) error {
	c, err := net.DialTimeout(network, address, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, "zPING\x00"); err != nil {
		return err
	}
	reply, err := io.ReadAll(io.LimitReader(c, 64))
	if err == nil && string(reply) != "PONG\x00" {
		err = fmt.Errorf("clamd answered %q to PING", reply)
	}
	return err
}
