// Package dsn writes delivery status notifications (RFC 3464, with the conditions of RFC
// 3461) in Malay and English. They carry the header of the message alone, never its
// body: what was refused elsewhere must not travel twice.
package dsn
