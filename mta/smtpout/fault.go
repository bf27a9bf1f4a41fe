package smtpout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// Stages of a delivery, in order. They stand in [Result.Stage].
const (
	StageDNS      = "dns"
	StagePolicy   = "policy"
	StageConnect  = "connect"
	StageGreeting = "greeting"
	StageEHLO     = "ehlo"
	StageSTARTTLS = "starttls"
	StageAUTH     = "auth"
	StageMAIL     = "mail"
	StageRCPT     = "rcpt"
	StageDATA     = "data"
	StageDot      = "dot"
)

// rank orders stages, so that of several failures the one that came furthest is told.
var rank = map[string]int{
	StageDNS: 1, StageConnect: 2, StageGreeting: 3, StageEHLO: 4, StagePolicy: 5,
	StageSTARTTLS: 6, StageAUTH: 7, StageMAIL: 8, StageRCPT: 9, StageDATA: 10, StageDot: 11,
}

// A fault is why something did not work: where, at which stage, and what was said.
type fault struct {
	stage     string
	remote    string // HOST[IP]:PORT, "" when none was reached
	tls       string
	code      int // of the reply, 0 when it was not the other side that said it
	enhanced  string
	text      string
	permanent bool
	slow      bool
	lost      bool // the connection is gone; nothing was answered
	unsure    bool
	cert      bool   // the certificate was refused, by us
	tlsType   string // result type for TLSRPT, "" when TLS was not the reason
	err       error
}

func (f *fault) Error() string { return f.stage + ": " + f.text }
func (f *fault) Unwrap() error { return f.err }

// said makes a fault of a refusal.
func said(stage string, r *reply) *fault {
	f := &fault{stage: stage, code: r.code, enhanced: r.enhanced, text: r.text(), permanent: r.permanent(), slow: r.slow()}
	if f.code/100 < 4 { // an answer that is none of those asked for
		f.text = fmt.Sprintf("unexpected reply %d %s", r.code, f.text)
		f.code, f.enhanced = 451, "4.5.0"
	}
	if f.enhanced == "" {
		f.enhanced = guess(stage, f.permanent)
	}
	return f
}

// guess is the status for a reply without one.
func guess(stage string, permanent bool) string {
	class := "4"
	if permanent {
		class = "5"
	}
	switch stage {
	case StageRCPT:
		return class + ".1.0"
	case StageMAIL:
		return class + ".1.8"
	case StageGreeting, StageEHLO:
		return class + ".3.2"
	case StageAUTH, StageSTARTTLS:
		return class + ".7.0"
	}
	return class + ".0.0"
}

// broken makes a fault of an error of the connection.
func broken(ctx context.Context, stage string, err error) *fault {
	f := &fault{stage: stage, code: 451, enhanced: "4.4.2", lost: true, err: err}
	switch {
	case ctx.Err() != nil:
		f.text = fmt.Sprintf("stopped while waiting: %v", context.Cause(ctx))
	case errors.Is(err, errReplyLong), errors.Is(err, errReplySyntax):
		f.enhanced, f.text = "4.5.0", err.Error()
	case errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		f.text = "timed out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.text = "the other side closed the connection"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		f.text = "the other side broke the connection"
	default:
		f.text = plain(err)
	}
	if stage == StageConnect {
		f.enhanced = "4.4.1"
		f.slow = errors.Is(err, syscall.ECONNREFUSED)
		if f.text == "timed out" {
			f.text = "connection timed out"
		}
	}
	return f
}

// plain is an error of the system without the addresses that net puts before it.
func plain(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		err = sys.Err
	}
	return printable(err.Error())
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// ours is a fault that is not the other side's: temporary, whatever happens.
func ours(stage string, err error) *fault {
	return &fault{stage: stage, code: 451, enhanced: "4.3.0", text: "local problem: " + plain(err), err: err}
}

// result is the fault as the answer for one recipient.
func (f *fault) result(address string) Result {
	return Result{
		Address: address, Permanent: f.permanent, Code: f.code, Enhanced: f.enhanced, Text: f.text,
		Remote: f.remote, TLS: f.tls, Stage: f.stage, Unsure: f.unsure, Slow: f.slow,
	}
}
