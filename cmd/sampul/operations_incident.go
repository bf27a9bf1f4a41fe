package main

import (
	"context"

	"sampul/store"
)

// Arguments of the operations on incidents and cases.
type (
	incidentChangeArgs struct {
		ID, Assign        string
		Close, FalseAlarm bool
		Reason            string
	}
	caseListArgs struct {
		State string
		Max   int
	}
	caseDecideArgs struct {
		ID      string
		Approve bool
		Reason  string
	}
)

var incidentOperations = map[string]operation{
	"incident.list": op(func(ctx context.Context, st store.Store, f store.IncidentFilter, emit func(any) error) error {
		all, err := st.Incidents(ctx, store.System, f)
		return each(emit, all, err)
	}),
	"incident.show": op(func(ctx context.Context, st store.Store, a idArgs, emit func(any) error) error {
		in, err := st.IncidentByID(ctx, store.System, a.ID)
		return oneOf(emit, in, err)
	}),
	"incident.change": op(func(ctx context.Context, st store.Store, a incidentChangeArgs, emit func(any) error) error {
		in, err := st.ChangeIncident(ctx, store.System, a.ID,
			store.IncidentChange{Assign: a.Assign, Close: a.Close, FalseAlarm: a.FalseAlarm, Reason: a.Reason})
		return oneOf(emit, in, err)
	}),
	"case.list": op(func(ctx context.Context, st store.Store, a caseListArgs, emit func(any) error) error {
		all, err := st.Cases(ctx, store.System, a.State, a.Max)
		return each(emit, all, err)
	}),
	"case.show": op(func(ctx context.Context, st store.Store, a idArgs, emit func(any) error) error {
		c, err := st.CaseByID(ctx, store.System, a.ID)
		return oneOf(emit, c, err)
	}),
	"case.decide": op(func(ctx context.Context, st store.Store, a caseDecideArgs, emit func(any) error) error {
		c, err := st.DecideCase(ctx, store.System, a.ID, store.CaseDecision{Approve: a.Approve, Reason: a.Reason})
		return oneOf(emit, c, err)
	}),
}

// oneOf emits what an operation gave.
func oneOf(emit func(any) error, item any, err error) error {
	if err != nil {
		return err
	}
	return emit(item)
}
