package bolt

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"sampul/internal/address"
	"sampul/store"
)

// maxText is how long a text for replies may be: it shares one reply with others.
const maxText = 150

// checkSettings refuses what would weaken what is built in for all, and what means nothing.
func checkSettings(s *store.PolicySettings) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{store.ErrName}, args...)...)
	}
	if s.AttachmentMax < 0 || s.AttachmentMax > store.MaxAttachments {
		return bad("attachments: at most %d octets in all, not %d: an agency may ask for less alone", store.MaxAttachments, s.AttachmentMax)
	}
	if s.AttachmentCount < 0 || s.AttachmentCount > 10_000 {
		return bad("attachments: a number from 1 to 10000, not %d", s.AttachmentCount)
	}
	for _, f := range []struct {
		name, is string
		may      []string
	}{
		{"executables", s.Executables, []string{"accept", "tag", "reject"}},
		{"macros", s.Macros, []string{"accept", "tag", "reject"}},
		{"double extensions", s.DoubleExtension, []string{"accept", "tag", "reject"}},
		{"secrets from the Internet", s.InternetSecret, []string{"deliver", "refuse"}},
		{"unreadable mail from the Internet", s.InternetUnread, []string{"listed", "refuse"}},
		{"declaring", s.Declare, []string{"self", "approve"}},
	} {
		if f.is != "" && !slices.Contains(f.may, f.is) {
			return bad("%s: %s, not %q", f.name, strings.Join(f.may, " or "), f.is)
		}
	}
	if err := checkText(s.Guidance); err != nil {
		return err
	}
	officers, err := addressSet(s.Officers, store.MaxForward)
	s.Officers = officers
	return err
}

// checkText is for what people read in an SMTP reply.
func checkText(s string) error {
	if len(s) > maxText || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("%w: a text for replies is one line of ASCII, at most %d letters", store.ErrName, maxText)
	}
	return nil
}

// policyName is a label, that stands in replies and header fields.
func policyName(s string) error {
	if len(s) > 40 || strings.Contains(s, ".") || !address.Plain(s) {
		return fmt.Errorf("%w: a name is of a-z, 0-9 and -, at most 40 of them, not %q", store.ErrName, s)
	}
	return nil
}

func checkRule(r *store.PolicyRule) error {
	if err := policyName(r.Name); err != nil {
		return err
	}
	if r.When = strings.TrimSpace(r.When); r.When == "" || len(r.When) > store.MaxExpression {
		return fmt.Errorf("%w: a condition has 1 to %d octets", store.ErrName, store.MaxExpression)
	}
	if !slices.Contains([]string{"accept", "tag", "secure-link", "reject", "tempfail"}, r.Do) {
		return fmt.Errorf("%w: a rule does accept, tag, secure-link, reject or tempfail, not %q", store.ErrName, r.Do)
	}
	return checkText(r.Text)
}

func checkKind(k *store.PolicyKind) error {
	if err := policyName(k.Name); err != nil {
		return err
	}
	magic, err := hex.DecodeString(strings.ReplaceAll(k.Magic, " ", ""))
	if err != nil || len(magic) < 3 || len(magic) > 32 {
		return fmt.Errorf("%w: the first octets of a kind are 3 to 32 in hex, such as 414331303332, not %q", store.ErrName, k.Magic)
	}
	k.Magic = hex.EncodeToString(magic)
	k.Extension = strings.ToLower(strings.TrimPrefix(k.Extension, "."))
	if len(k.Extension) > 16 || k.Extension == "" || strings.ContainsFunc(k.Extension, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}) {
		return fmt.Errorf("%w: an extension is of a-z and 0-9, such as dwg, not %q", store.ErrName, k.Extension)
	}
	return nil
}

func checkLabel(l *store.PolicyLabel) error {
	l.Site, l.GUID = guid(l.Site), guid(l.GUID)
	if l.Site == "" || l.GUID == "" || l.GUID == "*" {
		return fmt.Errorf("%w: a label is SITE GUID, such as 1b2c3d4e-0000-4000-8000-0123456789ab; the site may be *", store.ErrName)
	}
	l.Class = strings.ToUpper(l.Class)
	if !slices.Contains([]string{"TERBUKA", "TERHAD", "SULIT", "RAHSIA", "RAHSIA BESAR"}, l.Class) {
		return fmt.Errorf("%w: a label means TERBUKA, TERHAD, SULIT, RAHSIA or RAHSIA BESAR, not %q", store.ErrName, l.Class)
	}
	return nil
}

// guid is s as labels write it, "" when it is none.
func guid(s string) string {
	s = strings.ToLower(strings.Trim(strings.TrimSpace(s), "{}"))
	if s == "*" {
		return s
	}
	parts := strings.Split(s, "-")
	if len(s) != 36 || len(parts) != 5 || len(parts[0]) != 8 || len(parts[1]) != 4 || len(parts[2]) != 4 || len(parts[3]) != 4 {
		return ""
	}
	if _, err := hex.DecodeString(strings.ReplaceAll(s, "-", "")); err != nil {
		return ""
	}
	return s
}
