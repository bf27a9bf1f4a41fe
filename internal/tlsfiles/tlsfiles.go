// Package tlsfiles serves TLS with certificates from files, which are read again when
// they change: a renewal needs no restart.
package tlsfiles

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// every is how often, at most, the files are looked at.
const every = 10 * time.Second

// Files is one certificate with its key.
type Files struct {
	cert, key string
	clock     func() time.Time
	log       *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	stamp   [2]fileStamp
	checked time.Time
}

type fileStamp struct {
	at   time.Time
	size int64
}

// Load reads both files now, so that a mistake stops the start and not a client.
func Load(cert, key string, clock func() time.Time, log *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, clock: clock, log: log}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Config is for a listener: TLS 1.2 and above, with Go's choice of ciphers.
func (f *Files) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.current(), nil },
	}
}

func (f *Files) stamps() (s [2]fileStamp, err error) {
	for i, path := range []string{f.cert, f.key} {
		fi, err := os.Stat(path)
		if err != nil {
			return s, err
		}
		s[i] = fileStamp{fi.ModTime(), fi.Size()}
	}
	return s, nil
}

func (f *Files) read() error {
	stamp, err := f.stamps()
	if err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	c, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("TLS: %s and %s: %w", f.cert, f.key, err)
	}
	f.loaded, f.stamp, f.checked = &c, stamp, f.clock()
	return nil
}

// current is the certificate of now. Files that are half written leave the old one.
func (f *Files) current() *tls.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock()
	if now.Sub(f.checked) < every {
		return f.loaded
	}
	f.checked = now
	if stamp, err := f.stamps(); err == nil && stamp == f.stamp {
		return f.loaded
	}
	if err := f.read(); err != nil {
		f.log.Error("certificate not reloaded, the old one stays", "err", err)
	} else {
		f.log.Info("certificate reloaded", "file", f.cert)
	}
	return f.loaded
}
