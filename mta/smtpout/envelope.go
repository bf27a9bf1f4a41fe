package smtpout

import (
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"sampul/internal/message"
)

// maxFlight is how many octets of commands go out before their replies are read: with
// more, both sides could wait for the other to read (RFC 2920 section 3.1).
const maxFlight = 4 << 10

// envelope sends the commands, in as few flights as the other side allows, and reads what
// it says to each. ready says that it waits for content. A fault ends the whole envelope;
// who was refused at RCPT has a result of its own, and is no longer open.
func (t *transaction) envelope(cmds []command) (ready bool, f *fault) {
	taken := false
	for len(cmds) > 0 && f == nil {
		if cmds[0].stage == StageDATA && len(t.open) == 0 {
			return false, nil
		}
		n := t.flight(cmds)
		if err := t.s.out.Flush(); err != nil {
			return false, broken(t.s.ctx, cmds[0].stage, err)
		}
		// The whole flight is read, whatever the first reply was: one more or less, and
		// each later answer would count for the wrong command.
		for _, c := range cmds[:n] {
			r, err := t.s.read(t.s.pool.times.Command)
			if err != nil {
				return false, broken(t.s.ctx, c.stage, err)
			}
			if c.text == "RSET" {
				if r.ok() {
					continue
				}
				// What came before cannot be taken back: the connection is of no more use.
				f := said(StageMAIL, r)
				f.permanent, f.lost = false, true
				return false, f
			}
			t.heard = t.heard || r.code != 421 // 421 first: it went to sleep over an idle connection
			switch {
			case c.stage == StageDATA && r.code == 354:
				ready = true
			case c.stage == StageRCPT && (f != nil || r.ok()):
				taken = taken || r.ok()
			case c.stage == StageRCPT:
				t.set(c.rcpt, said(StageRCPT, r))
				t.open = slices.DeleteFunc(t.open, func(i int) bool { return i == c.rcpt })
			case f == nil && !(r.ok() && c.stage == StageMAIL):
				f = said(c.stage, r)
			}
			if r.code == 421 { // the other side hangs up: what follows is not answered
				f = said(c.stage, r)
				f.lost = true
				return false, f
			}
		}
		cmds = cmds[n:]
	}
	switch {
	case ready && f != nil && taken:
		// MAIL was refused and the rest taken all the same: whatever we send now may be
		// delivered, so nothing is.
		f.lost = true
		return false, f
	case ready && f != nil:
		t.all(t.open, f)
		t.open = nil
		return true, nil
	}
	return ready, f
}

// flight writes the commands that may go out together, and says how many those are.
func (t *transaction) flight(cmds []command) (n int) {
	size := 0
	for n < len(cmds) {
		size += len(cmds[n].text) + 2
		if n > 0 && (!t.s.features.pipelining || size > maxFlight) {
			break
		}
		t.s.say(cmds[n].text)
		n++
	}
	return n
}

// nothing ends a DATA that was answered with 354 though there is nobody to deliver to: the
// dot alone (RFC 2920 section 3.1).
func (t *transaction) nothing() *fault {
	r, err := t.s.ask(t.s.pool.times.Dot, ".")
	if err != nil {
		return broken(t.s.ctx, StageDot, err)
	}
	t.s.dirty = false
	if r.code == 421 {
		return &fault{lost: true}
	}
	return nil
}

// content sends the message and reads the answer to its dot: one, or with LMTP one for
// each recipient that was taken (RFC 2033 section 4.2).
func (t *transaction) content() *fault {
	if f := t.body(); f != nil {
		t.all(t.open, f)
		return f
	}
	answers := 1
	if t.s.hop.LMTP {
		answers = len(t.open)
	}
	for k := range answers {
		who := t.open
		if t.s.hop.LMTP {
			who = t.open[k : k+1]
		}
		r, err := t.s.read(t.s.pool.times.Dot)
		if err != nil {
			f := broken(t.s.ctx, StageDot, err)
			f.unsure = true
			f.text += " after the end of the message: it may have arrived"
			t.all(t.open[k:], f)
			return f
		}
		t.answer(who, r)
		if r.code == 421 {
			if t.s.hop.LMTP {
				t.all(t.open[k+1:], said(StageDot, r))
			}
			return &fault{lost: true}
		}
	}
	t.s.dirty = false
	return nil
}

// answer gives recipients the reply to the dot.
func (t *transaction) answer(who []int, r *reply) {
	if !r.ok() {
		t.all(who, said(StageDot, r))
		return
	}
	t.delivered = true
	for _, i := range who {
		e := r.enhanced
		if e == "" {
			e = "2.0.0"
		}
		t.out[i] = Result{Address: t.m.To[i].Address, Delivered: true, Code: r.code, Enhanced: e, Text: r.text(),
			Remote: t.s.end.String(), TLS: t.s.tls, Stage: StageDot, DSN: t.s.features.dsn}
	}
}

// body sends the message with its dot. It is opened only now: to make it costs more than
// an envelope that is refused.
func (t *transaction) body() *fault {
	local := func(err error) *fault {
		// The other side waits for content. Without the dot nothing is delivered.
		f := ours(StageDATA, err)
		if errors.Is(err, message.ErrSigned) { // RFC 6152 section 3: back to the sender
			f = &fault{stage: StageDATA, code: 554, enhanced: "5.6.3", permanent: true, err: err,
				text: "the other side takes only 7-bit mail (no 8BITMIME), and a signed part cannot be converted"}
		}
		f.lost, t.local = true, true
		return f
	}
	rc, err := t.m.Open(t.m.EightBit && !t.s.features.eightBit)
	if err != nil {
		return local(err)
	}
	defer rc.Close()
	t.s.since, t.s.sent = time.Now(), 0
	w := &dotWriter{w: t.s.out}
	from := &sourceReader{r: rc}
	buf := buffers.Get().(*[]byte)
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, from, *buf)
	buffers.Put(buf)
	if from.err != nil {
		return local(from.err)
	}
	if err == nil {
		if err = w.end(); err == nil {
			err = t.s.out.Flush()
		}
	}
	t.s.since = time.Time{}
	if err == nil {
		return nil
	}
	// The dot is the last that is written, so it did not leave. Some say why they hang up.
	if r, rerr := t.s.read(time.Second); rerr == nil && r.code >= 400 {
		f := said(StageDATA, r)
		f.lost = true
		return f
	}
	return broken(t.s.ctx, StageDATA, err)
}

// buffers are for copying messages.
var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// A sourceReader remembers its own error, which is not one of the connection.
type sourceReader struct {
	r   io.Reader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
