package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sampul/internal/config"
	"sampul/store"
)

// policyFlags are the settings of policy under agency set. "default" is what is built in.
func policyFlags(f *pflag.FlagSet) {
	f.String("attachment-max", "", "`size` of all attachments of a message, decoded, such as 10MiB; at most 25MiB")
	f.String("attachment-count", "", "`number` of attachments of a message; default is any")
	f.String("executables", "", "programs: accept, tag or reject (default reject)")
	f.String("macros", "", "documents with program code: accept, tag or reject (default tag)")
	f.String("double-extension", "", "programs named like documents, surat.pdf.exe: accept, tag or reject (default reject)")
	f.String("internet-secret", "", "TERHAD and SULIT from the Internet: deliver with a tag, or refuse (default deliver)")
	f.String("internet-unread", "", "encrypted mail from the Internet: listed kinds with a tag, or refuse (default listed)")
	f.String("declare", "", "a suspicion is declared away by the sender alone (self), or with an officer's approval (approve; default self)")
	f.String("guidance", "", "`text` of replies to TERHAD and SULIT: how they are sent here; one line of ASCII")
	f.StringSlice("security-officer", nil, "`address` that gets notices of incidents; several with commas, empty for none")
	f.String("reason", "", "why, for the history")
}

// policySettings reads the flags that were given; nil when none was.
func policySettings(f *pflag.FlagSet) (*policySettingsArgs, error) {
	a := &policySettingsArgs{}
	given := false
	for name, to := range map[string]**string{"executables": &a.Executables, "macros": &a.Macros, "double-extension": &a.DoubleExtension,
		"internet-secret": &a.InternetSecret, "internet-unread": &a.InternetUnread, "declare": &a.Declare, "guidance": &a.Guidance} {
		if f.Changed(name) {
			given = true
			v := plainDefault(f.Lookup(name).Value.String())
			*to = &v
		}
	}
	if f.Changed("attachment-max") {
		given = true
		var size config.Size
		if s := plainDefault(f.Lookup("attachment-max").Value.String()); s != "" {
			if err := size.UnmarshalText([]byte(s)); err != nil || size <= 0 {
				return nil, usagef("--attachment-max: a size such as 10MiB, at most 25MiB, or default, not %q", s)
			}
		}
		n := int64(size)
		a.AttachmentMax = &n
	}
	if f.Changed("attachment-count") {
		given = true
		n := 0
		if s := plainDefault(f.Lookup("attachment-count").Value.String()); s != "" {
			var err error
			if n, err = strconv.Atoi(s); err != nil || n <= 0 {
				return nil, usagef("--attachment-count: a number above 0, or default, not %q", s)
			}
		}
		a.AttachmentCount = &n
	}
	if f.Changed("security-officer") {
		given = true
		all, err := f.GetStringSlice("security-officer")
		if err != nil {
			return nil, usage(err)
		}
		a.Officers = &all
	}
	if !given {
		return nil, nil
	}
	return a, nil
}

func plainDefault(s string) string {
	if s == "default" {
		return ""
	}
	return s
}

// settingsText shows what holds, whoever has said it.
func settingsText(s store.PolicySettings) string {
	count := "any"
	if s.AttachmentCount > 0 {
		count = fmt.Sprint(s.AttachmentCount)
	}
	var b strings.Builder
	for _, l := range [][2]string{
		{"attachment max", sizeText(cmp.Or(s.AttachmentMax, store.MaxAttachments))}, {"attachment count", count},
		{"executables", cmp.Or(s.Executables, "reject")}, {"macros", cmp.Or(s.Macros, "tag")}, {"double extension", cmp.Or(s.DoubleExtension, "reject")},
		{"internet secret", cmp.Or(s.InternetSecret, "deliver")}, {"internet unread", cmp.Or(s.InternetUnread, "listed")},
		{"declare", cmp.Or(s.Declare, "self")}, {"guidance", s.Guidance}, {"security officer", strings.Join(s.Officers, ", ")},
	} {
		fmt.Fprintf(&b, "%-16s %s\n", l[0], l[1])
	}
	if s.Version > 0 {
		fmt.Fprintf(&b, "%-16s %d, %s\n", "policy version", s.Version, by(s.PolicyChange))
	}
	return b.String()
}

// sizeText is a size as it is given.
func sizeText(n int64) string {
	switch {
	case n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d octets", n)
}

func agencyHistory(t *target) *cobra.Command {
	return &cobra.Command{Use: "history NAME", Short: "Show every version of an agency's policy settings, by whom, when and why", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return list(t, c, "agency.history", nameArgs{args[0]}, "VERSION\tMADE\tSETTINGS", func(s store.PolicySettings) []any {
				return []any{s.Version, by(s.PolicyChange), strings.Join(changesOf(s), " ")}
			})
		}}
}

// changesOf names what is not as built in.
func changesOf(s store.PolicySettings) []string {
	var out []string
	for _, l := range [][2]string{
		{"executables", s.Executables}, {"macros", s.Macros}, {"double-extension", s.DoubleExtension}, {"internet-secret", s.InternetSecret},
		{"internet-unread", s.InternetUnread}, {"declare", s.Declare}, {"guidance", s.Guidance}, {"security-officer", strings.Join(s.Officers, ",")},
	} {
		if l[1] != "" {
			out = append(out, l[0]+"="+strconv.Quote(l[1]))
		}
	}
	if s.AttachmentCount > 0 {
		out = append([]string{fmt.Sprintf("attachment-count=%d", s.AttachmentCount)}, out...)
	}
	if s.AttachmentMax > 0 {
		out = append([]string{"attachment-max=" + strings.ReplaceAll(sizeText(s.AttachmentMax), " ", "")}, out...)
	}
	return out
}
