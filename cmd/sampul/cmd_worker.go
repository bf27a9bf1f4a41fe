package main

import (
	"os"

	"github.com/spf13/cobra"

	"sampul/policy/inspect"
)

// workerCommand is what the suite starts to read documents; it is of no use to people.
func workerCommand() *cobra.Command {
	return &cobra.Command{Use: "worker", Short: "Read documents for the suite", Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 && args[0] == "--exec" {
				return inspect.Become(args[1:])
			}
			if len(args) > 0 {
				return usagef("worker is what the suite starts by itself")
			}
			return inspect.Serve(os.Stdin, os.Stdout)
		}}
}
