package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"text/template"

	"github.com/spf13/cobra"

	"sampul/internal/config"
	"sampul/internal/seal"
	"sampul/store"
	"sampul/store/bolt"
)

func versionCommand(t *target) *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v := map[string]string{"version": "unknown", "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				v["version"] = info.Main.Version
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						v["revision"] = s.Value
					}
				}
			}
			if t.json {
				return writeLine(c.OutOrStdout(), v)
			}
			fmt.Fprintf(c.OutOrStdout(), "sampul %s %s %s\n", v["version"], v["go"], v["platform"])
			return nil
		}}
}

func configCommand(t *target) *cobra.Command {
	check := &cobra.Command{Use: "check [FILE]", Short: "Read a configuration file and say what is wrong with it", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			path := t.config
			if len(args) == 1 {
				path = args[0]
			}
			if path == "" {
				return usagef("which file? give it, or --config F")
			}
			cfg, err := config.Load(path)
			if err == nil {
				err = readNamed(cfg)
			}
			if err != nil {
				return &fault{1, "config", err}
			}
			if t.json {
				return writeLine(c.OutOrStdout(), map[string]any{"ok": true, "listeners": len(cfg.Listeners)})
			}
			fmt.Fprintf(c.OutOrStdout(), "%s is right: %d listeners, data in %s\n", path, len(cfg.Listeners), cfg.DataDir)
			return nil
		}}
	return group("config", "The configuration file", check)
}

// readNamed reads the files that a configuration names, as serve does at its start.
func readNamed(cfg *config.Config) error {
	var errs []error
	bad := func(err error, format string, args ...any) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err))
		}
	}
	for i := range cfg.Listeners {
		l := &cfg.Listeners[i]
		if pair := l.Cert(cfg.TLS); pair.Cert != "" {
			_, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
			bad(err, "listener %d (%s): tls", i+1, l.Kind)
		}
		_, err := authorities(l.ClientCA)
		bad(err, "listener %d (%s): client_ca", i+1, l.Kind)
	}
	_, err := authorities(cfg.Outbound.TrustCA)
	bad(err, "outbound.trust_ca")
	for _, f := range cfg.Filters {
		if f.PasswordFile != "" {
			_, err := os.ReadFile(f.PasswordFile)
			bad(err, "filter %s: password_file", f.Name)
		}
	}
	return errors.Join(errs...)
}

var firstConfig = template.Must(template.New("").Parse(`# Sampul: what belongs to this machine. Agencies, people and rules are in the directory:
# sampul agency add, domain add, account add.

hostname = {{.Host | printf "%q"}}
data_dir = {{.Dir | printf "%q"}}
key_file = {{.Key | printf "%q"}} # without it the data cannot be read: keep a copy elsewhere
http     = "127.0.0.1:9125" # /metrics and /healthz

# resolver = "127.0.0.1:53"   # a validating one on this machine is best; the system's first

[log]
format = "text"
level  = "info"

# [tls]                       # for all listeners; read again when the files change
# cert = "/etc/sampul/cert.pem"
# key  = "/etc/sampul/key.pem"

[[listener]]
kind    = "mx"
address = ":25"

# These need a certificate:
# [[listener]]
# kind    = "submission"
# address = ":587"
#
# [[listener]]
# kind    = "submissions"
# address = ":465"
#
# [[listener]]
# kind    = "imap"
# address = ":143"
#
# [[listener]]
# kind    = "imaps"
# address = ":993"
#
# [[listener]]
# kind    = "https" # publishes MTA-STS policies
# address = ":443"

# Filters are asked in order, once the gate let a message pass:
# [[filter]]
# name     = "virus"
# type     = "clamd" # clamd, rspamd, milter
# address  = "unix:/run/clamav/clamd.ctl"
# scope    = ["in", "out", "relay"]
# timeout  = "30s"
# on_error = "tempfail" # or accept
`))

func initCommand(t *target) *cobra.Command {
	var host, key string
	c := &cobra.Command{Use: "init --dir D", Short: "Make an empty suite: key file, data directory, a configuration to edit", Args: cobra.NoArgs,
		Long: `Init makes the data directory D, the key file D.key (mode 0600) beside it, and the
configuration D.toml, or the file that --config names. What exists is never overwritten.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if t.dir == "" {
				return usagef("--dir D: where shall the data lie?")
			}
			dir, err := filepath.Abs(t.dir)
			if err != nil {
				return err
			}
			if key == "" {
				key = keyBeside(dir)
			}
			file := t.config
			if file == "" {
				file = dir + ".toml"
			}
			if _, err := os.Stat(file); err == nil {
				return &fault{4, "exists", fmt.Errorf("%s exists already", file)}
			}
			if _, err := seal.EnsureKeyFile(key); err != nil {
				return err
			}
			e, err := bolt.Open(c.Context(), bolt.Options{Dir: dir, KeyFile: key})
			if err != nil {
				return err
			}
			if err := e.Close(); err != nil {
				return err
			}
			if err := writeConfig(file, host, dir, key); err != nil {
				return err
			}
			if t.json {
				return writeLine(c.OutOrStdout(), map[string]string{"data_dir": dir, "key_file": key, "config": file})
			}
			fmt.Fprintf(c.OutOrStdout(), `data:   %s
key:    %s   (keep a copy elsewhere: without it the data is lost)
config: %s

next:   edit %[3]s, then
        sampul agency add agensi-a --config %[3]s
        sampul domain add agensi-a.test --agency agensi-a --config %[3]s
        sampul account add pegawai1@agensi-a.test --config %[3]s
        sampul serve --config %[3]s
`, dir, key, file)
			return nil
		}}
	c.Flags().StringVar(&host, "hostname", "", "the `name` of this server in the DNS; the machine's")
	c.Flags().StringVar(&key, "key-file", "", "the key `file`; D.key")
	return c
}

func writeConfig(file, host, dir, key string) error {
	if host == "" {
		var err error
		if host, err = os.Hostname(); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	err = firstConfig.Execute(f, map[string]string{"Host": host, "Dir": dir, "Key": key})
	return errors.Join(err, f.Close())
}

func storeCommand(t *target) *cobra.Command {
	verify := &cobra.Command{Use: "verify", Short: "Read everything that is stored, and check every checksum and reference", Args: cobra.NoArgs,
		Long: "Verify needs the server stopped. It changes no message. Exit code 1 when something is damaged.",
		RunE: func(c *cobra.Command, _ []string) error {
			e, err := t.openStore(c.Context())
			if err != nil {
				return err
			}
			defer e.Close()
			found := 0
			err = e.Verify(c.Context(), func(what string) {
				found++
				if t.json {
					writeLine(c.OutOrStdout(), map[string]string{"damage": what})
				} else {
					fmt.Fprintln(c.OutOrStdout(), "damage:", what)
				}
			})
			if err != nil {
				return err
			}
			if found > 0 {
				return &fault{1, "damaged", fmt.Errorf("%w: %d findings", store.ErrDamaged, found)}
			}
			if t.json {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]bool{"ok": true})
			}
			fmt.Fprintln(c.OutOrStdout(), "everything is whole")
			return nil
		}}
	return group("store", "The data directory itself", verify)
}
