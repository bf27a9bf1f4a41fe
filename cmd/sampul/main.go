// Command sampul is the whole suite: the servers (serve, demo), and the administrators'
// tools, which talk to a running server over its socket.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // quotas and hours stand on the local clock, also where the machine has no time zones

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	root := newRoot()
	err := root.ExecuteContext(ctx)
	stop()
	os.Exit(report(root, err))
}

// newRoot makes the tree of commands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sampul",
		Short: "Mail for government agencies: SMTP, IMAP, and a gate that stops classified mail",
		Long: `Sampul is a mail suite in one binary.

Try it:  sampul demo
Run it:  sampul init, then sampul serve --config F

Commands that change or show something work on a running server, over the socket in
its data directory, or on the data directory itself while no server runs.

Exit codes: 0 done, 1 a finding or a refusal, 2 usage, 3 not found or not permitted,
4 conflict, 5 server not reachable.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	t := &target{}
	root.PersistentFlags().StringVar(&t.dir, "dir", "", "data `directory`")
	root.PersistentFlags().StringVar(&t.config, "config", "", "configuration `file`")
	root.PersistentFlags().BoolVar(&t.json, "json", false, "print JSON, one object a line")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(
		serveCommand(t), demoCommand(t), initCommand(t), configCommand(t), versionCommand(t),
		agencyCommand(t), domainCommand(t), accountCommand(t), aliasCommand(t),
		groupCommand(t), routeCommand(t), dkimCommand(t),
		appCommand(t), runCommand(t), policyCommand(t), incidentCommand(t), queueCommand(t), traceCommand(t), quarantineCommand(t), banCommand(t),
		suppressionCommand(t),
		storeCommand(t),
		reportCommand(t), workerCommand(),
	)
	strictArgs(root)
	return root
}

// strictArgs makes a wrong number of arguments a usage error, everywhere.
func strictArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error { return usage(check(c, args)) }
	}
	if c.HasSubCommands() && !c.Runnable() && c.HasParent() {
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("%s has no command %q; see %s --help", c.CommandPath(), args[0], c.CommandPath())
			}
			return c.Help()
		}
	}
	for _, sub := range c.Commands() {
		strictArgs(sub)
	}
}
