// Package dsn writes delivery status notifications (RFC 3464, with the conditions of RFC
// 3461) in Malay and English, and reads those of others. They carry the header of the
// message alone, never its body, whatever RET says: what was refused elsewhere must not
// travel twice, and RFC 3461 section 6.2 leaves it to us.
//
// A report has three parts: text for a person (which address, what the other server
// said, what to do), the status for programs, and the header of the message. Addresses
// beyond ASCII are reported by RFC 6533. The package sends nothing and knows no queue.
package dsn

import (
	"strings"
	"time"
)

// An Action is what became of a recipient (RFC 3464 section 2.3.3).
type Action string

// The actions.
const (
	Failed    Action = "failed"
	Delayed   Action = "delayed"
	Delivered Action = "delivered" // in the mailbox
	Relayed   Action = "relayed"   // taken by a server that tells the sender nothing
	Expanded  Action = "expanded"  // sent on to the members of a group
)

// A Report is one notification: about one message, to its sender, of one action.
type Report struct {
	Action    Action
	Host      string    // Reporting-MTA: our name
	From      string    // postmaster's address, of the sender's agency where it has one
	To        string    // reverse-path of the message
	QueueID   string    // of the message
	EnvID     string    // as ENVID gave it, in xtext; "" for none
	Arrival   time.Time // of the message
	Until     time.Time // delayed: how long it will be tried
	Date      time.Time // of the report
	MessageID string    // of the report, with its angle brackets

	Recipients []Recipient
	Header     []byte // of the message, blank line and more may follow; nil leaves the part away
}

// A Recipient is what became of one address.
type Recipient struct {
	Address string
	ORcpt   string // as ORCPT gave it, such as "rfc822;a@b.test"; "" for none
	Status  string // RFC 3463; "" is made from Code, or from the action
	Code    int    // of the other side's reply, 0 when nobody answered
	Text    string // what the other side said, or why nobody could be asked
	Remote  string // HOST[IP]:PORT that said it, "" for us
	Last    time.Time
}

// Wants says whether the sender wants to hear of an action, by NOTIFY (RFC 3461 section
// 4.1). Without NOTIFY failures and delays are told.
func Wants(notify string, a Action) bool {
	if notify == "" {
		return a == Failed || a == Delayed
	}
	for word := range strings.SplitSeq(notify, ",") {
		switch strings.ToUpper(strings.TrimSpace(word)) {
		case "NEVER":
			return false
		case "SUCCESS":
			if a == Delivered || a == Relayed || a == Expanded {
				return true
			}
		case "FAILURE":
			if a == Failed {
				return true
			}
		case "DELAY":
			if a == Delayed {
				return true
			}
		}
	}
	return false
}

// status is the recipient's status code, of the class that the action asks for (RFC 3464
// section 2.3.4): a failure after temporary answers is 5.4.7 or the answer's detail in class 5.
func (r *Recipient) status(a Action) string {
	class := map[Action]byte{Failed: '5', Delayed: '4'}[a]
	if class == 0 {
		class = '2'
	}
	if validStatus(r.Status) {
		return string(class) + r.Status[1:]
	}
	switch {
	case class != '2' && r.Code == 552:
		return string(class) + ".2.2"
	case class != '2' && (r.Code == 550 || r.Code == 551 || r.Code == 553):
		return string(class) + ".1.0"
	default:
		return string(class) + ".0.0"
	}
}

// validStatus says whether s is class.subject.detail (RFC 3463 section 2).
func validStatus(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || parts[0] != "2" && parts[0] != "4" && parts[0] != "5" {
		return false
	}
	for _, p := range parts[1:] {
		if len(p) == 0 || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}
