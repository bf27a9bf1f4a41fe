package bolt

import "context"

func (e *Engine) verifyJournal(ctx context.Context, s *stream, report func(string)) error {
	return s.j.Verify(ctx, func(err error) { report(err.Error()) })
}
