package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"sampul/internal/config"
	"sampul/store"
	"sampul/store/bolt"
)

// A target is the suite that a command is about: --dir or --config.
type target struct {
	dir, config string
	json        bool
}

const (
	socketName  = "admin.sock"
	demoKeyName = "demo.key" // the demo keeps its key inside: it guards nothing of worth
)

// place says where the data lies and which file opens it.
func (t *target) place() (dir, keyFile string, err error) {
	switch {
	case t.dir != "" && t.config != "":
		return "", "", usagef("--dir and --config exclude each other")
	case t.config != "":
		c, err := config.Load(t.config)
		if err != nil {
			return "", "", usage(err)
		}
		return c.DataDir, c.KeyFile, nil
	case t.dir == "":
		return "", "", usagef("say which suite: --dir D (its data directory) or --config F")
	}
	if _, err := os.Stat(filepath.Join(t.dir, demoKeyName)); err == nil {
		return t.dir, filepath.Join(t.dir, demoKeyName), nil
	}
	return t.dir, keyBeside(t.dir), nil
}

// keyBeside is where `sampul init --dir D` puts the key file.
func keyBeside(dir string) string { return filepath.Clean(dir) + ".key" }

// openStore opens the data directory itself; it refuses while a server runs.
func (t *target) openStore(ctx context.Context) (*bolt.Engine, error) {
	dir, key, err := t.place()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "FORMAT")); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no suite, `sampul init` makes one: %w", dir, store.ErrNotFound)
	}
	var gov []string
	if t.config != "" {
		c, err := config.Load(t.config)
		if err != nil {
			return nil, usage(err)
		}
		gov = c.GovDomains
	}
	e, err := bolt.Open(ctx, bolt.Options{Dir: dir, KeyFile: key, GovDomains: gov, Log: slog.New(slog.DiscardHandler),
		Plain: filepath.Base(key) == demoKeyName && bolt.IsPlain(dir)})
	if errors.Is(err, store.ErrLocked) {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return e, err
}

// client reaches the running server, or else works on the data directory.
func (t *target) client(ctx context.Context) (*client, error) {
	dir, _, err := t.place()
	if err != nil {
		return nil, err
	}
	path, release, err := socketPath(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return &client{
			close: release,
			transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", path)
			}},
		}, nil
	}
	release()
	if errors.Is(err, fs.ErrPermission) {
		return nil, &fault{3, "forbidden", fmt.Errorf("the socket in %s belongs to another user: %w", dir, err)}
	}
	st, err := t.openStore(ctx)
	if errors.Is(err, store.ErrLocked) {
		return nil, &fault{5, "unreachable", fmt.Errorf("a process holds %s, but its socket does not answer", dir)}
	}
	if err != nil {
		return nil, err
	}
	cfg, err := t.machine()
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return &client{transport: direct{adminHandler(st, cfg)}, close: func() error { return st.Close() }}, nil
}

// machine is the configuration of the target: the file named, or the one that `sampul
// init --dir D` left beside the data; nil when there is none.
func (t *target) machine() (*config.Config, error) {
	file := t.config
	if file == "" {
		file = filepath.Clean(t.dir) + ".toml"
		if _, err := os.Stat(file); err != nil {
			return nil, nil
		}
	}
	cfg, err := config.Load(file)
	if err != nil && t.config == "" {
		return nil, nil // a file that happens to lie there
	}
	return cfg, usage(err)
}

// socketPath is the socket in dir, by a way that is short enough for the kernel.
func socketPath(dir string) (path string, release func() error, err error) {
	path = filepath.Join(dir, socketName)
	if len(path) < 100 {
		return path, func() error { return nil }, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), socketName), d.Close, nil
}
