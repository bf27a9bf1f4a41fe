package smtpin

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// talks says whether the client sends before it was greeted, within the delay. Without
// one it only looks, which costs one system call.
func (s *session) talks(delay time.Duration) bool {
	if delay > 0 {
		idle := s.c.idle
		s.c.idle = delay
		defer func() { s.c.idle = idle }()
		_, err := s.in.Peek(1)
		return err == nil
	}
	if s.in.Buffered() > 0 {
		return true
	}
	conn, ok := s.raw.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, _ = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	return n > 0
}
