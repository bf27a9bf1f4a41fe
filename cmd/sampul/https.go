package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// A webServer is an HTTPS listener: it publishes the MTA-STS policies of our domains.
type webServer struct {
	tls  *tls.Config
	srv  *http.Server
	open atomic.Int64
}

func newWebServer(tc *tls.Config, h http.Handler) *webServer {
	w := &webServer{tls: tc}
	w.srv = &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 20 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: log.New(nowhere{}, "", 0),
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				w.open.Add(1)
			case http.StateClosed, http.StateHijacked:
				w.open.Add(-1)
			}
		},
	}
	return w
}

// nowhere takes what net/http says of clients that leave early: nothing to act on.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// Serve takes connections until ctx is over.
func (w *webServer) Serve(ctx context.Context, ln net.Listener) error {
	stop := context.AfterFunc(ctx, func() { w.srv.Close() })
	defer stop()
	if err := w.srv.Serve(tls.NewListener(ln, w.tls)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown ends idle connections at once and the others when they are answered.
func (w *webServer) Shutdown(ctx context.Context) error { return w.srv.Shutdown(ctx) }

// Sessions is how many connections there are.
func (w *webServer) Sessions() int { return int(w.open.Load()) }
