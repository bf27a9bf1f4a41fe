package main

import (
	"context"

	"sampul/store"
)

// suppressArgs say whose suppressions: of one application, of all of an agency, or, for
// lists, of everybody.
type suppressArgs struct {
	App, Agency   string
	Address, Kind string
	Max           int
	All           []store.Suppression
}

// suppressionPage is how many are read at a time.
const suppressionPage = 1000

var suppressionOperations = map[string]operation{
	"suppression.list": op(func(ctx context.Context, st store.Store, a suppressArgs, emit func(any) error) error {
		f := store.SuppressionFilter{App: a.App, Agency: a.Agency, Address: a.Address, Kind: a.Kind}
		for n := 0; ; {
			f.Max = suppressionPage
			if a.Max > 0 {
				f.Max = min(f.Max, a.Max-n)
			}
			page, err := st.Suppressions(ctx, store.System, f)
			if err := each(emit, page, err); err != nil {
				return err
			}
			if n += len(page); len(page) < f.Max || n == a.Max {
				return nil
			}
			f.After = page[len(page)-1].Position()
		}
	}),
	"suppression.add": op(func(ctx context.Context, st store.Store, a suppressArgs, _ func(any) error) error {
		for i := range a.All {
			a.All[i].Sender, a.All[i].Agency = a.App, a.Agency
		}
		return st.AddSuppressions(ctx, actor(ctx), a.All)
	}),
	"suppression.remove": op(func(ctx context.Context, st store.Store, a suppressArgs, _ func(any) error) error {
		return st.RemoveSuppression(ctx, actor(ctx), a.App, a.Agency, a.Address)
	}),
}
