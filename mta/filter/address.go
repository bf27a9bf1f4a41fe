package filter

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
)

// target is where a filter listens.
type target struct{ network, address string }

// parseTarget reads an address of the configuration.
func parseTarget(s string) (target, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return target{}, fmt.Errorf("address %q: the path of a socket begins with /, such as unix:/run/clamav/clamd.ctl", s)
		}
		return target{"unix", path}, nil
	}
	hostport := strings.TrimPrefix(s, "tcp:")
	host, port, err := net.SplitHostPort(hostport)
	if err != nil || host == "" || port == "" {
		return target{}, fmt.Errorf("address %q: unix:/path or host:port is needed", s)
	}
	return target{"tcp", hostport}, nil
}

// DialFunc connects to a filter.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// open connects within ctx. The connection is closed when ctx is over, which ends every
// wait on it; it has no deadline of its own, so that an error after ctx is always known for
// what it is. The caller closes it with the function given.
func (t target) open(ctx context.Context, dial DialFunc) (net.Conn, func(), error) {
	c, err := dial(ctx, t.network, t.address)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	return c, func() { stop(); c.Close() }, nil
}
