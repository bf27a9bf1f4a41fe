package main

import (
	"context"
	"strings"

	"sampul/store"
)

// certAccount is who logs in with a certificate for an address: the account that has the
// address itself. Whoever an alias leads to did not ask for the certificate.
func (s *suite) certAccount(ctx context.Context, address string) (*store.Account, error) {
	r, err := s.store.Resolve(ctx, address)
	if err != nil || r.Account == nil || !strings.EqualFold(r.Account.Address, address) {
		return nil, err
	}
	return r.Account, nil
}
