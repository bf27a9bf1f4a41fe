package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"strings"

	"sampul/internal/config"
	"sampul/store"
)

// The administrators' interface is one call: POST /do/NAME with the arguments as JSON.
// The answer is lines: any number of items, then one that says that it is over or what
// went wrong. A line that is missing means that the server went away.
type line struct {
	Item  json.RawMessage `json:"item,omitempty"`
	Error *errorBody      `json:"error,omitempty"`
	Over  bool            `json:"over,omitempty"`
}

// maxArgs bounds the arguments of one call: the table of a split domain is the longest.
const maxArgs = 32 << 20

// An operation is what the other side of the socket does.
type operation func(ctx context.Context, st store.Store, args json.RawMessage, emit func(any) error) error

// op gives an operation its arguments.
func op[A any](f func(ctx context.Context, st store.Store, args A, emit func(any) error) error) operation {
	return func(ctx context.Context, st store.Store, raw json.RawMessage, emit func(any) error) error {
		var args A
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&args); err != nil {
			return usagef("arguments: %w", err)
		}
		return f(ctx, st, args, emit)
	}
}

// adminHandler answers as the operator: whoever reaches the socket is its owner. cfg is
// what is known of the machine, nil when only the data directory is.
func adminHandler(st store.Store, cfg *config.Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /do/{name}", func(w http.ResponseWriter, r *http.Request) {
		do, ok := operations[r.PathValue("name")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		args, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxArgs))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		ctx := context.WithValue(context.WithValue(r.Context(), machineKey{}, cfg), actorKey{}, r.Header.Get(userField))
		err = do(ctx, st, args, func(v any) error {
			var b bytes.Buffer
			if err := writeLine(&b, v); err != nil { // not json.Marshal: people read <a@b.test> in what is printed
				return err
			}
			return writeLine(w, line{Item: b.Bytes()})
		})
		if err != nil {
			f := classify(err)
			writeLine(w, line{Error: &errorBody{Code: f.code, Message: err.Error(), Exit: f.exit}})
			return
		}
		writeLine(w, line{Over: true})
	})
	return mux
}

type (
	machineKey struct{}
	actorKey   struct{}
)

// userField tells the name of the person at the socket, for histories. Whoever reaches the
// socket has the operator's rights, so it is believed.
const userField = "X-Sampul-User"

// actor is the operator, by name.
func actor(ctx context.Context) store.Actor {
	a := store.System
	a.Name, _ = ctx.Value(actorKey{}).(string)
	return a
}

// userName is who runs this command: also behind sudo.
func userName() string {
	name := os.Getenv("SUDO_USER")
	if u, err := user.Current(); name == "" && err == nil {
		name = u.Username
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, name)
}

// machine is the configuration of the server that an operation runs in. A suite that is
// known by its data directory alone has none: nobody said what its names are.
func machine(ctx context.Context) (*config.Config, error) {
	if cfg, _ := ctx.Value(machineKey{}).(*config.Config); cfg != nil {
		return cfg, nil
	}
	return nil, usagef("the names of the server stand in its configuration: say --config F, or ask while it runs")
}

// A client makes calls.
type client struct {
	transport http.RoundTripper
	close     func() error
}

// call runs an operation and hands each item to f.
func (c *client) call(ctx context.Context, name string, args any, f func(json.RawMessage) error) error {
	b, err := json.Marshal(args)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://sampul/do/"+name, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set(userField, userName())
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return &fault{5, "unreachable", err}
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the server does not know %s: is it of another version? (%s)", name, res.Status)
	}
	d := json.NewDecoder(res.Body)
	for {
		var l line
		if err := d.Decode(&l); err != nil {
			return &fault{5, "unreachable", fmt.Errorf("the server went away before it was done: %w", err)}
		}
		switch {
		case l.Error != nil:
			return &fault{l.Error.Exit, l.Error.Code, errors.New(l.Error.Message)}
		case l.Over:
			return nil
		}
		if err := f(l.Item); err != nil {
			return err
		}
	}
}

// direct is a transport without a network: the handler in this process.
type direct struct{ h http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	pr, pw := io.Pipe()
	w := &pipeWriter{header: http.Header{}, w: pw, status: make(chan int, 1)}
	go func() {
		d.h.ServeHTTP(w, r)
		w.WriteHeader(http.StatusOK)
		pw.Close()
	}()
	return &http.Response{StatusCode: <-w.status, Status: "", Header: w.header, Body: pr, Request: r}, nil
}

type pipeWriter struct {
	header http.Header
	w      *io.PipeWriter
	status chan int
	told   bool
}

func (p *pipeWriter) Header() http.Header { return p.header }

func (p *pipeWriter) WriteHeader(code int) {
	if !p.told {
		p.told = true
		p.status <- code
	}
}

func (p *pipeWriter) Write(b []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	return p.w.Write(b)
}
