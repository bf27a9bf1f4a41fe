package store

import "errors"

// The words in which a store refuses. Protocols translate them, each in one place.
var (
	ErrNotFound     = errors.New("not found")
	ErrExists       = errors.New("exists already")
	ErrForbidden    = errors.New("not permitted")
	ErrOverQuota    = errors.New("quota exceeded")
	ErrDiskReserve  = errors.New("disk space is below the reserve") // intake and APPEND stop, deletes go on
	ErrBusy         = errors.New("too much waits to be filed, try again")
	ErrClosed       = errors.New("the store is closed")
	ErrFailed       = errors.New("a write failed: the store acknowledges nothing more until it is started again")
	ErrGate         = errors.New("the body is not the one that policy let pass")
	ErrName         = errors.New("not usable")
	ErrReadOnly     = errors.New("mailbox is open read-only")
	ErrHasChildren  = errors.New("mailbox has children")
	ErrLimit        = errors.New("a limit is reached") // keywords of a mailbox
	ErrBadPassword  = errors.New("wrong address or password")
	ErrAccountState = errors.New("account is not active")
	ErrDamaged      = errors.New("stored data is damaged")
	ErrFormat       = errors.New("data directory has another format")
	ErrLocked       = errors.New("a server is using this data directory")
)
