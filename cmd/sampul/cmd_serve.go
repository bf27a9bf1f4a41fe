package main

import (
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"sampul/internal/config"
	"sampul/policy/inspect"
)

func serveCommand(t *target) *cobra.Command {
	return &cobra.Command{Use: "serve --config F", Short: "Run the suite", Args: cobra.NoArgs,
		Long: `Serve runs all listeners of the configuration until SIGTERM or SIGINT; then sessions
end with 421 or BYE, and what was accepted is filed.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if t.config == "" || t.dir != "" {
				return usagef("serve needs --config F, and it alone; `sampul init` makes one")
			}
			cfg, err := config.Load(t.config)
			if err != nil {
				return usage(err)
			}
			log := newLog(c.ErrOrStderr(), cfg.Log)
			slog.SetDefault(log)
			keepSecrets(log)
			s, err := openSuite(c.Context(), cfg, log)
			if err != nil {
				return err
			}
			if err := s.start(c.Context()); err != nil {
				s.close()
				return err
			}
			s.outboundNote()
			return s.wait(c.Context())
		}}
}

// keepSecrets has nothing of the memory written out: mail is in it.
func keepSecrets(log *slog.Logger) {
	if err := inspect.Secretive(); err != nil {
		log.Warn("the memory of this process could be written to a core file", "err", err)
	}
}

// newLog writes one line an event.
func newLog(w io.Writer, c config.Log) *slog.Logger {
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
