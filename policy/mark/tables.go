package mark

import (
	"embed"
	"regexp"
	"strconv"
	"strings"
)

// What marks look like is data: one item a line; what follows two blanks or a tab is a
// further column; a line that begins with # says why. Items are written in capitals, as
// normalising leaves text, and may use the signs of regular expressions.
//
//go:embed grammar/*.txt
var files embed.FS

// columns part an item from what is said of it.
var columns = regexp.MustCompile(`\t+| {2,}`)

// section gives the lines of one section of a file, in columns. That each section exists
// and can be read is tested; the files are part of the program.
func section(file, name string) [][]string {
	b, err := files.ReadFile("grammar/" + file + ".txt")
	if err != nil {
		panic(err)
	}
	var out [][]string
	in := false
	for line := range strings.SplitSeq(string(b), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			in = line == "["+name+"]"
		case in:
			out = append(out, columns.Split(line, -1))
		}
	}
	if len(out) == 0 {
		panic("grammar/" + file + ".txt has no items under [" + name + "]")
	}
	return out
}

// anyOf is a pattern for each item of a section; its groups capture nothing.
func anyOf(file, name string) string {
	var items []string
	for _, row := range section(file, name) {
		items = append(items, row[0])
	}
	return grouped(strings.Join(items, "|"))
}

// grouped makes one group of a pattern, in which nothing is captured.
func grouped(p string) string {
	var b strings.Builder
	b.WriteString("(?:")
	for i := range len(p) {
		b.WriteByte(p[i])
		if p[i] == '(' && (i == 0 || p[i-1] != '\\') && !strings.HasPrefix(p[i+1:], "?") {
			b.WriteString("?:")
		}
	}
	return b.String() + ")"
}

// weights are points by name.
var weights = func() map[string]int {
	out := map[string]int{}
	for _, row := range section("weights", "weights") {
		n, err := strconv.Atoi(row[1])
		if err != nil {
			panic(err)
		}
		out[row[0]] = n
	}
	return out
}()

var classNames = map[string]Class{"TERBUKA": Terbuka, "TERHAD": Terhad, "SULIT": Sulit, "RAHSIA": Rahsia, "RAHSIA BESAR": RahsiaBesar}

// words are the class words, with and without a blank, and which of them are English.
var words, english = func() (map[string]Class, map[string]bool) {
	w, en := map[string]Class{}, map[string]bool{}
	for _, row := range section("classes", "words") {
		for _, s := range []string{row[0], strings.ReplaceAll(row[0], " ", "")} {
			w[s], en[s] = classNames[row[1]], row[2] == "english"
		}
	}
	return w, en
}()

// jawi are the class words in Jawi letters.
var jawi = func() map[string]string {
	out := map[string]string{}
	for _, row := range section("classes", "jawi") {
		out[row[0]] = row[1]
	}
	return out
}()

// twins are letters of other scripts that look like Latin ones.
var twins = func() map[rune]rune {
	out := map[rune]rune{}
	for _, row := range section("twins", "twins") {
		latin := rune(row[0][0])
		for _, s := range strings.Fields(row[1]) {
			for _, r := range s {
				if _, known := out[r]; !known {
					out[r] = latin
				}
			}
		}
	}
	return out
}()

// neighbours are everyday words one letter away from a class word.
var neighbours = func() map[string]bool {
	out := map[string]bool{}
	for _, row := range section("classes", "neighbours") {
		out[row[0]] = true
	}
	return out
}()
