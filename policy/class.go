package policy

import (
	"fmt"
	"strings"
)

var classNames = map[Class]string{
	Terbuka: "TERBUKA", Terhad: "TERHAD", Sulit: "SULIT",
	Uninspectable: "UNINSPECTABLE", Rahsia: "RAHSIA", RahsiaBesar: "RAHSIA BESAR",
}

// String is the class as it is stamped on documents.
func (c Class) String() string { return classNames[c] }

// ParseClass reads what String writes, in any case.
func ParseClass(s string) (Class, error) {
	for c, name := range classNames {
		if strings.EqualFold(strings.TrimSpace(s), name) {
			return c, nil
		}
	}
	return Terbuka, fmt.Errorf("no class is named %q", s)
}

// String is the action's name in rules and reports.
func (a Action) String() string {
	return [...]string{"accept", "tag", "secure-link", "reject", "tempfail"}[a]
}

// ParseAction reads what String writes.
func ParseAction(s string) (Action, error) {
	for a := Accept; a <= Tempfail; a++ {
		if a.String() == s {
			return a, nil
		}
	}
	return Accept, fmt.Errorf("no action is named %q", s)
}

// stricter says whether a leaves less than b. To put a message off is milder than to refuse
// it: it would come again only to be refused.
func stricter(a, b Action) bool {
	rank := [...]int{Accept: 0, Tag: 1, SecureLink: 2, Tempfail: 3, Reject: 4}
	return rank[a] > rank[b]
}

// Directions are all that a message can take.
var Directions = []Direction{Internal, Across, Out, InGov, In, Relay}
