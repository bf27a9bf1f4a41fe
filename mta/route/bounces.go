package route

import (
	"strings"

	"sampul/internal/address"
)

// The reverse-paths of mail that a group sends on. They lead to the owner, and with VERP
// (variable envelope return path) name the member that a message could not reach:
//
//	group+bounces-HASH@ours
//	group+bounces-HASH-local=domain@ours
//
// An account that forwards has one too, for senders that do not fit into SRS. HASH keeps
// others from writing to owners under cover of a bounce.
type bounces struct{ secret []byte }

const (
	bounceMark = "+bounces-"
	bounceHash = 10
)

// path is the reverse-path of mail from group, for member or for all (""): the latter too
// where the former would be too long. "" when even that would.
func (b bounces) path(group, member string) string {
	local, domain := cut(group)
	if member != "" {
		mlocal, mdomain := cut(member)
		out := local + bounceMark + tag(b.secret, bounceHash, group, member) + "-" + mlocal + "=" + mdomain
		if _, err := address.Canonical(member); err == nil && len(out) <= 64 && dotAtom(out) {
			return out + "@" + domain
		}
	}
	out := local + bounceMark + tag(b.secret, bounceHash, group, "")
	if len(out) > 64 || !dotAtom(out) {
		return ""
	}
	return out + "@" + domain
}

// split parts a bounce address: whose it is, and what stands after the mark.
func (bounces) split(addr string) (of, rest string, ok bool) {
	local, domain := cut(addr)
	for i := 1; i+len(bounceMark) <= len(local); i++ {
		if strings.EqualFold(local[i:i+len(bounceMark)], bounceMark) {
			return local[:i] + "@" + domain, local[i+len(bounceMark):], true
		}
	}
	return "", "", false
}

// check says whether rest was made here for the group, in its canonical form, and names
// the member.
func (b bounces) check(group, rest string) (member string, ok bool) {
	hash := rest
	if len(rest) > bounceHash {
		if rest[bounceHash] != '-' {
			return "", false
		}
		hash = rest[:bounceHash]
		i := strings.LastIndexByte(rest, '=')
		if i <= bounceHash {
			return "", false
		}
		member = rest[bounceHash+1:i] + "@" + rest[i+1:]
		if _, err := address.Canonical(member); err != nil {
			return "", false
		}
	}
	return member, sameTag(hash, tag(b.secret, bounceHash, group, member))
}
