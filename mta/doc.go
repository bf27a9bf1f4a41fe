// Package mta delivers what is queued for other servers, and tells senders what became
// of their mail.
//
// A [Runner] learns of messages from the store as they are accepted, plans in memory, and
// hands them to package smtpout: recipients that share a next hop and a reverse-path go
// out in one transaction. People's mail and bulk have workers of their own, and at each
// destination bulk never takes all connections. A destination that answers gets more of
// them, one that asks for fewer gets half, and one that does not answer at all is probed
// by one message at a time while the others stay parked under it. What is parked costs
// memory alone, and its outcome is still recorded, a few hundred a second.
//
// Each recipient ends in one of four ways: delivered, refused, expired, or dropped by an
// administrator. Expiry is enforced by one sweeper, whatever state a recipient is in. An
// outcome is recorded right after the answer; only where the answer to the last dot was
// never seen, or the process died before the record was written, may a message arrive twice.
//
// A [Poster] writes notices: delivery reports (package dsn) and words for administrators.
// They pass policy and are accepted as any mail, have a null reverse-path, and never lead
// to more mail. A report is posted before the outcome it tells of is recorded. A crash
// between the two repeats it, with the same queue ID and Message-ID, and where the first
// one still waits in the queue the second is recognised and left away: a report is never lost.
//
// A Runner and a Poster may be used by many goroutines.
package mta
