// Package relay holds applications to what was approved: who may send as whom, from where
// and when, how much in a window of time, and what is kept back until a window opens. It
// knows neither SMTP nor how things are kept.
package relay
