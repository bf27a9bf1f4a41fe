package smtpin

import (
	"net"
	"time"
)

// paced is a client's connection with a deadline for each read and write, and a
// floor under the rate of a long one: whole messages have no deadline.
type paced struct {
	net.Conn
	stop func() error  // why nothing more is to be read, nil to go on
	idle time.Duration // for one read or write
	rate int64         // octets a second that a message must reach, in the long run

	since time.Time // start of the message, zero between messages
	got   int64     // octets since then
}

// grace is how long a message may stay below the rate.
const grace = 30 * time.Second

// begin and end bound a message.
func (c *paced) begin() { c.since, c.got = time.Now(), 0 }
func (c *paced) end()   { c.since = time.Time{} }

// floor is when the octets that came are used up at the lowest rate.
func (c *paced) floor() time.Time {
	if c.since.IsZero() || c.rate <= 0 {
		return time.Time{}
	}
	return c.since.Add(grace + time.Duration(c.got)*time.Second/time.Duration(c.rate))
}

func (c *paced) Read(p []byte) (int, error) {
	by := time.Now().Add(c.idle)
	if f := c.floor(); !f.IsZero() && f.Before(by) {
		by = f
	}
	if err := c.SetReadDeadline(by); err != nil {
		return 0, err
	}
	// Asked after the deadline is set, never before: going down sets one in the past,
	// and ours must not overwrite it unseen.
	if err := c.stop(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	c.got += int64(n)
	return n, err
}

func (c *paced) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
