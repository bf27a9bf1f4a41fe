package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"sampul/store"
)

// A fault is an error with what scripts need of it.
type fault struct {
	exit int
	code string // stable, for scripts
	err  error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// errFinding ends a command whose output says it all: exit code 1, nothing more to say.
var errFinding = &fault{1, "finding", errors.New("a finding")}

func usage(err error) error {
	if err == nil {
		return nil
	}
	return &fault{2, "usage", err}
}

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// classify gives each error its exit code and its name.
func classify(err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	for _, c := range []struct {
		is   error
		exit int
		code string
	}{
		{store.ErrNotFound, 3, "not_found"},
		{store.ErrForbidden, 3, "forbidden"},
		{store.ErrExists, 4, "exists"},
		{store.ErrLocked, 4, "locked"},
		{store.ErrName, 2, "name"},
		{store.ErrLimit, 2, "limit"},
		{store.ErrFailed, 5, "failed"},
	} {
		if errors.Is(err, c.is) {
			return &fault{c.exit, c.code, err}
		}
	}
	if strings.HasPrefix(err.Error(), "unknown command") {
		return &fault{2, "usage", err}
	}
	return &fault{1, "error", err}
}

type errorLine struct {
	Error *errorBody `json:"error"`
}

type errorBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Exit    int    `json:"exit,omitempty"`
}

// report prints err for a person or a script, and says with which code to end.
func report(root *cobra.Command, err error) int {
	if err == nil {
		return 0
	}
	f := classify(err)
	if f == errFinding {
		return f.exit
	}
	w := root.ErrOrStderr()
	if asJSON, _ := root.PersistentFlags().GetBool("json"); asJSON {
		writeLine(w, errorLine{&errorBody{Code: f.code, Message: err.Error()}})
	} else {
		fmt.Fprintln(w, "sampul:", err)
	}
	return f.exit
}

func writeLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
