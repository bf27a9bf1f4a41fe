// Package relay is where applications' credentials, quotas and pacing will live. An
// application already logs in on submission with an account of its own kind, and its
// mail goes by the bulk lane.
package relay
