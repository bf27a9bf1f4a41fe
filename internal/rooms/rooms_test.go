package rooms

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// below says which rooms each room may import: those below it in design section 2.
// A room may import its own sub-rooms; a sub-room names what it may import itself.
var below = map[string][]string{
	"cmd/sampul":      {"imapd", "mta", "relay", "policy", "store", "internal"},
	"imapd":           {"imapd/wire", "policy", "store", "internal"},
	"imapd/wire":      {"internal"},
	"mta":             {"mta/smtpin", "mta/smtpout", "mta/authres", "mta/filter", "mta/dsn", "mta/route", "mta/sts", "mta/tlsrpt", "relay", "policy", "store", "internal"},
	"mta/smtpin":      {"mta/authres", "mta/filter", "mta/route", "relay", "policy", "store", "internal"},
	"mta/smtpout":     {"mta/sts", "mta/tlsrpt", "store", "internal"},
	"mta/sts":         {"internal"},
	"mta/tlsrpt":      {"internal"},
	"mta/authres":     {"internal"},
	"mta/filter":      {"internal"},
	"mta/dsn":         {"store", "internal"},
	"mta/signing":     {"store", "internal"},
	"mta/route":       {"store", "internal"},
	"relay":           {"policy", "store", "internal"},
	"policy":          {"policy/inspect", "policy/extract", "policy/mark", "store", "internal"},
	"policy/inspect":  {"policy/extract", "policy/mark", "internal"},
	"policy/notices":  {"store", "internal"},
	"policy/ocr":      {"policy/extract", "internal"},
	"policy/extract":  {"internal"},
	"policy/mark":     {"policy/extract", "internal"},
	"store":           {"internal"},
	"store/bolt":      {"store", "store/journal", "store/trace", "internal"},
	"store/journal":   {"internal"},
	"store/trace":     {"store", "internal"},
	"store/storetest": {"store", "internal"},
	"internal":        {"internal"},
}

type file struct {
	path    string // from the top of the tree
	dir     string
	test    bool
	ast     *ast.File
	imports []string
}

func tree(t *testing.T) []file {
	t.Helper()
	top := filepath.Join("..", "..")
	var out []file
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		g := file{path: rel, dir: filepath.ToSlash(filepath.Dir(rel)), test: strings.HasSuffix(rel, "_test.go"), ast: f}
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			g.imports = append(g.imports, name)
		}
		out = append(out, g)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("only %d Go files found: this test looks in the wrong place", len(out))
	}
	return out
}

// room is the room that a directory belongs to.
func room(dir string) string {
	if dir == "internal" || strings.HasPrefix(dir, "internal/") {
		return "internal"
	}
	for d := dir; d != "."; d = filepath.ToSlash(filepath.Dir(d)) {
		if _, ok := below[d]; ok {
			return d
		}
	}
	return ""
}

func TestArrowsPointDown(t *testing.T) {
	checked := 0
	for _, f := range tree(t) {
		from := room(f.dir)
		if from == "" {
			t.Errorf("%s stands in no room of design section 2", f.path)
			continue
		}
		if f.test { // tests may wire what they test to a real neighbour
			continue
		}
		for _, i := range f.imports {
			dir, ours := strings.CutPrefix(i, "sampul/")
			if !ours {
				continue
			}
			checked++
			to := room(dir)
			if to != from && !allowed(from, to) {
				t.Errorf("%s: %s imports %s, which is not below it", f.path, from, dir)
			}
		}
	}
	if checked == 0 {
		t.Fatal("no import of ours was found: this test checks nothing")
	}
}

func allowed(from, to string) bool {
	for _, b := range below[from] {
		if to == b || strings.HasPrefix(to, b+"/") && b != "policy" && b != "store" && b != "mta" {
			return true
		}
		// cmd wires the engines themselves
		if from == "cmd/sampul" && strings.HasPrefix(to, b+"/") {
			return true
		}
	}
	return false
}

// Whoever mints a gate.Passed can store a body that nobody judged.
func TestOnlyPolicyMints(t *testing.T) {
	minters := 0
	for _, f := range tree(t) {
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok || s.Sel.Name != "Mint" {
				return true
			}
			if x, ok := s.X.(*ast.Ident); !ok || x.Name != "gate" {
				return true
			}
			if room(f.dir) != "policy" && f.dir != "store/storetest" {
				t.Errorf("%s mints a gate.Passed: only policy may", f.path)
			}
			minters++
			return true
		})
		for _, i := range f.ast.Imports {
			if strings.HasSuffix(i.Path.Value, `internal/gate"`) && i.Name != nil {
				t.Errorf("%s imports gate under another name, which hides it from this test", f.path)
			}
		}
	}
	if minters == 0 {
		t.Fatal("nobody mints: this test checks nothing")
	}
}

// Whatever keeps a body for somebody must be given the pass that policy minted for it: in
// the store's contract, in its structs, and in the exported methods of its engines.
func TestWritersOfBodiesTakeThePass(t *testing.T) {
	writers := 0
	check := func(where string, fields []*ast.Field) {
		body, pass := false, false
		for _, p := range fields {
			switch typeText(p.Type) {
			case "Body", "store.Body", "io.Reader":
				body = true
			case "gate.Passed":
				pass = true
			}
		}
		if !body {
			return
		}
		if writers++; !pass {
			t.Errorf("%s takes a body and no gate.Passed: whoever calls it goes round policy", where)
		}
	}
	for _, f := range tree(t) {
		if f.test || f.dir != "store" && f.dir != "store/bolt" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv != nil && n.Name.IsExported() && typeText(n.Recv.List[0].Type) == "Engine" {
					check(f.path+": "+n.Name.Name, n.Type.Params.List)
				}
			case *ast.TypeSpec:
				switch typ := n.Type.(type) {
				case *ast.StructType:
					if f.dir == "store" {
						check(f.path+": "+n.Name.Name, typ.Fields.List)
					}
				case *ast.InterfaceType:
					for _, m := range typ.Methods.List {
						if call, ok := m.Type.(*ast.FuncType); ok {
							check(f.path+": "+n.Name.Name+"."+m.Names[0].Name, call.Params.List)
						}
					}
				}
			}
			return true
		})
	}
	if writers < 5 {
		t.Fatalf("only %d places take a body: this test looks for the wrong thing", writers)
	}
}

// typeText is a type's name, without pointers and slices.
func typeText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return typeText(e.X)
	case *ast.ArrayType:
		return typeText(e.Elt)
	case *ast.SelectorExpr:
		return typeText(e.X) + "." + e.Sel.Name
	}
	return ""
}
