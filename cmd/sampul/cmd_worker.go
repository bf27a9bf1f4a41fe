package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"sampul/policy/inspect"
)

// workerCommand is what the suite starts to read documents; it is of no use to people.
func workerCommand() *cobra.Command {
	return &cobra.Command{Use: "worker", Short: "Read documents for the suite", Args: cobra.NoArgs, Hidden: true,
		RunE: func(*cobra.Command, []string) error {
			signal.Reset(os.Interrupt, syscall.SIGTERM) // it has nothing to finish
			return inspect.Serve(os.Stdin, os.Stdout)
		}}
}
