package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sampul/store"
)

func group(use, short string, sub ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short}
	c.AddCommand(sub...)
	return c
}

// do runs one operation on the target.
func (t *target) do(ctx context.Context, name string, args any, f func(json.RawMessage) error) error {
	c, err := t.client(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	return c.call(ctx, name, args, f)
}

// list prints what an operation gives: as it is with --json, else a table.
func list[T any](t *target, c *cobra.Command, name string, args any, head string, row func(T) []any) error {
	out := c.OutOrStdout()
	tw := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	if !t.json {
		fmt.Fprintln(tw, head)
	}
	err := t.do(c.Context(), name, args, func(raw json.RawMessage) error {
		if t.json {
			_, err := fmt.Fprintf(out, "%s\n", raw)
			return err
		}
		var item T
		if err := json.Unmarshal(raw, &item); err != nil {
			return err
		}
		cells := row(item)
		_, err := fmt.Fprintf(tw, strings.TrimSuffix(strings.Repeat("%v\t", len(cells)), "\t")+"\n", cells...)
		return err
	})
	if err != nil {
		return err
	}
	return tw.Flush()
}

// change runs an operation that gives nothing, and says that it is done.
func (t *target) change(c *cobra.Command, name string, args any, done string) error {
	if err := t.do(c.Context(), name, args, func(json.RawMessage) error { return nil }); err != nil {
		return err
	}
	if t.json {
		return writeLine(c.OutOrStdout(), map[string]bool{"ok": true})
	}
	fmt.Fprintln(c.OutOrStdout(), done)
	return nil
}

func agencyCommand(t *target) *cobra.Command {
	var title string
	add := &cobra.Command{Use: "add NAME", Short: "Add an agency; NAME is short and stays, such as agensi-a", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return t.change(c, "agency.add", store.Agency{Name: args[0], Title: title}, "agency "+args[0]+" added")
		}}
	add.Flags().StringVar(&title, "title", "", "full name")
	ls := &cobra.Command{Use: "list", Short: "List agencies", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return list(t, c, "agency.list", none{}, "NAME\tTITLE\tCREATED", func(a store.Agency) []any {
				return []any{a.Name, a.Title, a.Created.Format("2006-01-02")}
			})
		}}
	return group("agency", "Agencies: who owns domains, accounts and rules", append(agencyMore(t), add, ls)...)
}

func domainCommand(t *target) *cobra.Command {
	var agency string
	add := &cobra.Command{Use: "add DOMAIN --agency A", Short: "Add a domain of an agency", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return t.change(c, "domain.add", store.Domain{Name: args[0], Agency: agency}, "domain "+args[0]+" added")
		}}
	add.Flags().StringVar(&agency, "agency", "", "the `agency` that owns it")
	ls := &cobra.Command{Use: "list", Short: "List domains", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return list(t, c, "domain.list", none{}, "DOMAIN\tAGENCY\tCREATED\tROUTE\tHELD", func(d store.Domain) []any {
				return []any{d.Name, d.Agency, d.Created.Format("2006-01-02"), routeText(d.Route), d.Held}
			})
		}}
	return group("domain", "Domains: what stands right of the @", append(domainMore(t), add, ls, domainDNSCommand(t))...)
}

func accountCommand(t *target) *cobra.Command {
	ls := &cobra.Command{Use: "list", Short: "List accounts", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return list(t, c, "account.list", none{}, "ADDRESS\tAGENCY\tKIND\tQUOTA\tNAME", func(a store.Account) []any {
				return []any{a.Address, a.Agency, a.Kind, a.Quota, a.Name}
			})
		}}
	return group("account", "Accounts: officers, shared mailboxes, applications", append(accountMore(t), accountAdd(t), ls, accountPassword(t))...)
}

func accountAdd(t *target) *cobra.Command {
	var a accountArgs
	var file string
	var noPassword bool
	add := &cobra.Command{Use: "add ADDRESS", Short: "Add an account; its password is read from a file, or made and printed", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a.Address = args[0]
			made := false
			if !noPassword {
				var err error
				if a.Password, made, err = readPassword(c.InOrStdin(), file); err != nil {
					return err
				}
			}
			out := map[string]any{}
			err := t.do(c.Context(), "account.add", a, func(raw json.RawMessage) error { return json.Unmarshal(raw, &out) })
			if err != nil {
				return err
			}
			if made {
				out["password"] = a.Password
			}
			if t.json {
				return writeLine(c.OutOrStdout(), out)
			}
			fmt.Fprintf(c.OutOrStdout(), "account %v added\n", out["address"])
			if made {
				fmt.Fprintf(c.OutOrStdout(), "password: %s\n", a.Password)
			}
			return nil
		}}
	f := add.Flags()
	f.StringVar(&a.Kind, "kind", "personal", "personal, shared or application")
	f.StringVar(&a.Role, "role", "", "officer, security or admin")
	f.StringVar(&a.Name, "name", "", "display name")
	f.Int64Var(&a.Quota, "quota", 0, "octets of mail, 0 for no limit")
	f.StringVar(&file, "password-file", "", "`file` with the password, - for standard input")
	f.BoolVar(&noPassword, "no-password", false, "nobody can log in until `account password`")
	return add
}

func accountPassword(t *target) *cobra.Command {
	var file string
	var keep bool
	c := &cobra.Command{Use: "password ADDRESS", Short: "Set an account's password", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, made, err := readPassword(c.InOrStdin(), file)
			if err != nil {
				return err
			}
			done := "password of " + args[0] + " set"
			if made {
				done += "\npassword: " + p
			}
			if made && t.json {
				err := t.do(c.Context(), "account.password", passwordArgs{args[0], p, keep}, func(json.RawMessage) error { return nil })
				if err != nil {
					return err
				}
				return writeLine(c.OutOrStdout(), map[string]string{"address": args[0], "password": p})
			}
			return t.change(c, "account.password", passwordArgs{args[0], p, keep}, done)
		}}
	c.Flags().StringVar(&file, "password-file", "", "`file` with the password, - for standard input; without it one is made and printed")
	c.Flags().BoolVar(&keep, "add", false, "the old passwords stay valid too (rotation)")
	return c
}

// readPassword takes the first line of a file: passwords never stand in arguments,
// where every user of the machine can see them. Without a file one is made.
func readPassword(stdin io.Reader, file string) (password string, made bool, err error) {
	var b []byte
	switch file {
	case "":
		return newPassword(), true, nil
	case "-":
		b, err = io.ReadAll(io.LimitReader(stdin, 4096))
	default:
		b, err = os.ReadFile(file)
	}
	if err != nil {
		return "", false, usage(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	if len(line) < 8 {
		return "", false, usagef("a password has at least 8 characters")
	}
	return line, false, nil
}

// newPassword has 80 bits, in groups that can be typed.
func newPassword() string {
	s := strings.ToLower(rand.Text())[:16]
	return s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:]
}
