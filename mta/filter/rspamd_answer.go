package filter

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strings"
)

// rspamdReply is what is used of an answer to /checkv2. Lua scripts write parts of it, so
// that any value may have any type: what has another than expected counts as absent.
type rspamdReply struct {
	action          string
	score, required float64 // required: where rspamd rejects
	message         string  // for the client
	subject         string
	milter          map[string]any
	dkim            []string // signatures to add
}

// parseRspamd reads an answer.
func parseRspamd(b []byte) (*rspamdReply, error) {
	var top map[string]any
	if err := json.Unmarshal(b, &top); err != nil {
		return nil, fmt.Errorf("rspamd's answer is no JSON object: %w", err)
	}
	a := &rspamdReply{}
	if a.action, _ = top["action"].(string); a.action == "" {
		if text, ok := top["error"].(string); ok {
			return nil, fmt.Errorf("rspamd answered with an error: %s", plain(text))
		}
		return nil, errors.New("rspamd's answer names no action")
	}
	a.score, _ = top["score"].(float64)
	a.required, _ = top["required_score"].(float64)
	if thresholds, ok := top["thresholds"].(map[string]any); ok {
		if reject, ok := thresholds["reject"].(float64); ok {
			a.required = reject
		}
	}
	a.subject, _ = top["subject"].(string)
	if messages, ok := top["messages"].(map[string]any); ok {
		a.message, _ = messages["smtp_message"].(string)
	}
	a.milter, _ = top["milter"].(map[string]any)
	a.dkim = texts(top["dkim-signature"])
	return a, nil
}

// outcome is what the answer means for a message with the header h.
func (a *rspamdReply) outcome(cfg *Config, h *head) *Outcome {
	o := &Outcome{Action: a.decide(cfg), Reason: fmt.Sprintf("rspamd %s, score %.2f of %.2f", a.action, a.score, a.required)}
	switch o.Action {
	case Reject:
		o.Code, o.Enhanced, o.Text = 550, "5.7.1", "Mesej ditolak sebagai spam / message refused as spam"
	case Tempfail:
		o.Code, o.Enhanced, o.Text = 451, "4.7.1", "Cuba lagi kemudian / try again later"
	}
	if o.Action >= Tempfail {
		if a.message != "" {
			o.Text = a.message
		}
		return o
	}
	a.edits(o, h)
	if o.Action == Junk {
		for _, e := range a.spamField() {
			e.Op, e.Index = Insert, 1
			o.Edits = append(o.Edits, e)
		}
	}
	if a.action == "rewrite subject" {
		o.Edits = append(o.Edits, a.newSubject(h))
	}
	for _, sig := range a.dkim {
		o.Edits = append(o.Edits, Edit{Op: Insert, Name: "DKIM-Signature", Value: sig, Index: 1})
	}
	return o
}

// decide is rspamd's action, or what the configured scores make of it. A refusal below
// rspamd's own border was forced by one of its rules and stands whatever the score.
func (a *rspamdReply) decide(cfg *Config) Action {
	switch a.action {
	case "soft reject", "greylist":
		return Tempfail
	case "discard":
		return Discard
	case "quarantine":
		return Quarantine
	case "reject":
		switch to, _ := a.milter["reject"].(string); to {
		case "discard":
			return Discard
		case "quarantine":
			return Quarantine
		}
		if cfg.RejectScore == 0 || a.score >= cfg.RejectScore || a.score < a.required {
			return Reject
		}
		return Junk
	}
	switch {
	case cfg.RejectScore > 0 && a.score >= cfg.RejectScore:
		return Reject
	case cfg.JunkScore > 0 && a.score >= cfg.JunkScore:
		return Junk
	case a.action == "add header" && cfg.JunkScore == 0:
		return Junk
	}
	return Accept
}

// edits is the milter part: what rspamd would have a milter do.
func (a *rspamdReply) edits(o *Outcome, h *head) {
	remove, _ := a.milter["remove_headers"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(remove)) {
		for _, n := range numbers(remove[name]) {
			o.Edits = append(o.Edits, removal(name, n, h.count(name))...)
		}
	}
	add, _ := a.milter["add_headers"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(add)) {
		values, many := add[name].([]any)
		if !many {
			values = []any{add[name]}
		}
		for _, v := range values {
			if e, ok := addition(name, v, len(h.fields)); ok {
				o.Edits = append(o.Edits, e)
			}
		}
	}
	if from, ok := a.milter["change_from"].(string); ok {
		o.From = &from
	}
	o.AddTo = texts(a.milter["add_rcpt"])
	o.DropTo = texts(a.milter["del_rcpt"])
}

// removal deletes field n of count: 0 means all of them, a negative number counts from
// the last one.
func removal(name string, n, count int) []Edit {
	switch {
	case n == 0:
		var all []Edit
		for i := count; i >= 1 && len(all) < maxEdits; i-- {
			all = append(all, Edit{Op: Delete, Name: name, Index: i})
		}
		return all
	case n < 0:
		n += count + 1
	}
	if n < 1 || n > count {
		return nil
	}
	return []Edit{{Op: Delete, Name: name, Index: n}}
}

// addition is one new field: a text, or an object with value and order. An order from 0
// is a position, a negative one counts from the end of fields, none is the end.
func addition(name string, v any, fields int) (Edit, bool) {
	e := Edit{Op: Add, Name: name}
	object, isObject := v.(map[string]any)
	if !isObject {
		s, ok := text(v)
		e.Value = s
		return e, ok
	}
	s, ok := text(object["value"])
	if order, is := object["order"].(float64); is {
		e.Op, e.Index = Insert, int(min(max(order, -1e6), 1e6))
		if e.Index < 0 {
			e.Index = max(fields+1+e.Index, 0)
		}
	}
	e.Value = s
	return e, ok
}

// spamField is what marks spam: rspamd's milter.spam_header, or X-Spam: Yes.
func (a *rspamdReply) spamField() []Edit {
	switch v := a.milter["spam_header"].(type) {
	case string:
		return []Edit{{Name: v, Value: "Yes"}}
	case map[string]any:
		var out []Edit
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if s, ok := text(v[name]); ok {
				out = append(out, Edit{Name: name, Value: s})
			}
		}
		return out
	}
	return []Edit{{Name: "X-Spam", Value: "Yes"}}
}

// newSubject is the subject that rspamd wants, or the present one with a tag.
func (a *rspamdReply) newSubject(h *head) Edit {
	e := Edit{Op: Change, Name: "Subject", Index: 1, Value: mime.QEncoding.Encode("utf-8", a.subject)}
	if a.subject != "" {
		return e
	}
	e.Value = "***SPAM***"
	if i := h.find(e); i >= 0 {
		e.Value += " " + strings.TrimLeft(h.fields[i].value(), " \t")
	}
	return e
}

// text is a JSON value as the text of a field.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case float64:
		return fmt.Sprint(v), true
	case bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

// texts is a string, or the strings of an array.
func texts(v any) (out []string) {
	list, many := v.([]any)
	if !many {
		list = []any{v}
	}
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// numbers is a number, or the numbers of an array, the greatest first, so that deleting
// one leaves the others where they are.
func numbers(v any) (out []int) {
	list, many := v.([]any)
	if !many {
		list = []any{v}
	}
	for _, e := range list {
		if f, ok := e.(float64); ok {
			out = append(out, int(min(max(f, -1e6), 1e6)))
		}
	}
	slices.SortFunc(out, func(a, b int) int { return b - a })
	return slices.Compact(out)
}
