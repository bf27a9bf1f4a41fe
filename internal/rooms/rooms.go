// Package rooms holds no code: its test keeps the order of the rooms, in which
// arrows point down only, and the one gate before the store.
package rooms
