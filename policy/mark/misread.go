package mark

import "strings"

// misreadWord is the word of a mark that a recognised word stands for, with one letter
// wrong, missing, too many, or two of them exchanged; "" for none.
func misreadWord(s string) string {
	if len(s) < 4 || len(s) > 13 {
		return ""
	}
	for _, w := range recognised {
		if s != w && nearly(s, w) {
			return w
		}
	}
	return ""
}

// recognised are the words of marks with five letters at least.
var recognised = func() []string {
	seen := map[string]bool{}
	var out []string
	for _, row := range section("classes", "words") {
		for w := range strings.FieldsSeq(row[0]) {
			if len(w) >= 5 && !seen[w] && w != "TERBUKA" {
				seen[w] = true
				out = append(out, w)
			}
		}
	}
	return append(out, "RAHSIABESAR")
}()

// nearly says whether one change of a letter makes b of a.
func nearly(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	x, y := a[i:], b[i:]
	switch len(a) - len(b) {
	case 0:
		return x[1:] == y[1:] || len(x) > 1 && x[0] == y[1] && x[1] == y[0] && x[2:] == y[2:]
	case 1:
		return x[1:] == y
	case -1:
		return x == y[1:]
	}
	return false
}
