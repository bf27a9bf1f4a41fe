package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"sampul/store"
)

// maxCost is what one rule may cost for one message, in units of CEL, of some 20 ns each:
// it is estimated when a rule is loaded, for the largest message, and counted when it runs.
const maxCost = 1_000_000

// Bounds of what rules look at, by which costs are estimated.
const (
	ruleFiles      = 1000 // the first of a message's files
	ruleRecipients = 1000
	ruleName       = 256 // octets of names and addresses
)

// suite is the agency of rules that hold for all.
const suite = store.Suite

// ErrRule is a rule that cannot be loaded.
var ErrRule = errors.New("rule")

// A rule is one that is on, ready to run.
type rule struct {
	store.PolicyRule
	action  Action
	program cel.Program
	fault   error // it does not load; mail that it is for is put off

	each  bool // what it says may differ between recipients of one agency
	group bool // or between agencies, or directions
}

// ruleFile is an attachment, or a file in one, as rules see it.
type ruleFile struct {
	Name   string `cel:"name"`
	Ext    string `cel:"ext"`  // of the name, in lower case, without the dot
	Kind   string `cel:"kind"` // by content
	Type   string `cel:"type"` // media type that the message names
	Size   int64  `cel:"size"`
	Macros bool   `cel:"macros"`
	Locked bool   `cel:"locked"`
	Depth  int64  `cel:"depth"` // 0 for an attachment of the message itself
}

// ruleAuth is how the sender was authenticated from outside.
type ruleAuth struct {
	SPF   string `cel:"spf"`
	DKIM  string `cel:"dkim"`
	DMARC string `cel:"dmarc"`
	IPRev string `cel:"iprev"`
}

// ruleClasses are the constants that class is compared with.
var ruleClasses = []struct {
	name  string
	class Class
}{{"TERBUKA", Terbuka}, {"TERHAD", Terhad}, {"SULIT", Sulit}, {"RAHSIA", Rahsia}, {"RAHSIA_BESAR", RahsiaBesar}}

// variables are what rules may ask, and say what each is. The text of a message, and its
// subject, are not among them: classes are found by marks, and rules that match words
// would stop open mail and be a way to read what others write.
var variables = []struct {
	name string
	t    *cel.Type
	doc  string
}{
	{"class", cel.IntType, "class found in what could be read: TERBUKA < TERHAD < SULIT < RAHSIA < RAHSIA_BESAR"},
	{"suspicion", cel.IntType, "class that is suspected, TERBUKA for none"},
	{"unreadable", cel.BoolType, "something in the message could not be read for marks"},
	{"declared", cel.BoolType, "the subject says [TERBUKA]"},
	{"direction", cel.StringType, `"internal", "agency", "out", "in-gov", "in", "relay"`},
	{"sender", cel.StringType, "reverse-path, in lower case"},
	{"sender_domain", cel.StringType, ""},
	{"sender_agency", cel.StringType, "agency of the authenticated sender, \"\" for none"},
	{"recipient", cel.StringType, "the recipient that is decided about, in lower case"},
	{"recipient_domain", cel.StringType, ""},
	{"recipient_agency", cel.StringType, "\"\" is outside the directory"},
	{"recipients", cel.ListType(cel.StringType), "all recipients; for a rule of a recipient's agency, those of that agency"},
	{"recipient_count", cel.IntType, "their number"},
	{"size", cel.IntType, "of the message, in octets"},
	{"attachments", cel.ListType(cel.ObjectType("policy.ruleFile")), "attachments and files in them: name, ext, kind, type, size, macros, locked, depth"},
	{"attachment_size", cel.IntType, "of the message's own attachments, decoded, in octets"},
	{"attachment_count", cel.IntType, "their number"},
	{"types", cel.ListType(cel.StringType), "kinds of files in the message, by content, each once"},
	{"auth", cel.ObjectType("policy.ruleAuth"), "spf, dkim, dmarc, iprev: pass, fail, none ...; \"\" where nothing was checked"},
	{"authenticated", cel.BoolType, "the sender has logged in"},
	{"app", cel.BoolType, "the sender is an application"},
	{"stored", cel.BoolType, "IMAP APPEND or import: kept by one account, not sent"},
	{"hour", cel.IntType, "0 to 23, of the server's clock"},
	{"weekday", cel.IntType, "1 Monday to 7 Sunday"},
}

// RuleVariables names what rules may ask, with what it is, for help texts.
func RuleVariables() [][2]string {
	var out [][2]string
	for _, v := range variables {
		out = append(out, [2]string{v.name + " " + strings.ReplaceAll(strings.ReplaceAll(v.t.String(), "policy.ruleFile", "file"), "policy.ruleAuth", "auth"), v.doc})
	}
	return out
}

// environment is what rules are compiled in.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{
		ext.NativeTypes(ext.ParseStructTags(true), reflect.TypeFor[ruleFile](), reflect.TypeFor[ruleAuth]()),
		cel.Function("lowerAscii", cel.MemberOverload("string_lower_ascii", []*cel.Type{cel.StringType}, cel.StringType,
			cel.UnaryBinding(lowerASCII))),
		cel.ExpressionNestingDepthLimit(50),
		cel.DefaultUTCTimeZone(true),
	}
	for _, v := range variables {
		options = append(options, cel.VariableWithDoc(v.name, v.t, v.doc))
	}
	for _, c := range ruleClasses {
		options = append(options, cel.Constant(c.name, cel.IntType, types.Int(c.class)))
	}
	return cel.NewEnv(options...)
})

// CheckRule says why a rule cannot be loaded, as ErrRule.
func CheckRule(r store.PolicyRule) error {
	_, err := compile(r)
	return err
}

// compile makes a rule ready. With an error it gives a rule that puts off the mail that it is for.
func compile(r store.PolicyRule) (*rule, error) {
	out := &rule{PolicyRule: r}
	out.fault = out.load()
	if out.fault != nil {
		out.fault = fmt.Errorf("%w %s: %w", ErrRule, r.Name, out.fault)
	}
	return out, out.fault
}

func (r *rule) load() (err error) {
	if r.action, err = ParseAction(r.Do); err != nil {
		return err
	}
	env, err := environment()
	if err != nil {
		return err
	}
	checked, issues := env.Compile(r.When)
	if issues.Err() != nil {
		return issues.Err()
	}
	if checked.OutputType() != cel.BoolType {
		return fmt.Errorf("a condition is true or false, and this is %s", checked.OutputType())
	}
	tree := checked.NativeRep()
	if err := checkDirections(tree); err != nil {
		return err
	}
	estimate, err := env.EstimateCost(checked, sizes{})
	if err != nil {
		return err
	}
	if estimate.Max > maxCost {
		return fmt.Errorf("it may cost %d units for one message, and %d are allowed: does it go through a list for each item of another?", estimate.Max, maxCost)
	}
	for _, ref := range tree.ReferenceMap() {
		switch ref.Name {
		case "recipient", "recipient_domain":
			r.each = true
		case "recipient_agency", "direction", "recipients", "recipient_count":
			r.group = true
		}
	}
	r.program, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(2*maxCost))
	return err
}

// checkDirections finds directions that are none: a rule with a slip of the pen would never match.
func checkDirections(tree *ast.AST) error {
	var bad error
	known := func(e ast.Expr) {
		if e.Kind() != ast.LiteralKind {
			return
		}
		if s, ok := e.AsLiteral().Value().(string); ok && !slices.Contains(Directions, Direction(s)) {
			bad = fmt.Errorf("no direction is named %q: one of %v", s, Directions)
		}
	}
	isDirection := func(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == "direction" }
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		args := e.AsCall().Args()
		switch e.AsCall().FunctionName() {
		case operators.Equals, operators.NotEquals:
			if isDirection(args[0]) {
				known(args[1])
			} else if isDirection(args[1]) {
				known(args[0])
			}
		case operators.In:
			if isDirection(args[0]) && args[1].Kind() == ast.ListKind {
				for _, x := range args[1].AsList().Elements() {
					known(x)
				}
			}
		}
	}))
	return bad
}

// sizes are the largest that variables get.
type sizes struct{}

// EstimateCallCost is for what CEL does not know: lowerAscii goes through a string once.
func (sizes) EstimateCallCost(function, _ string, _ *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	if function != "lowerAscii" {
		return nil
	}
	return &cost.CallEstimate{CostEstimate: cost.Estimate{Min: 1, Max: ruleName / 10}, ResultSize: &cost.SizeEstimate{Max: ruleName}}
}

// EstimateSize is for what stands in variables.
func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	p := n.Path()
	if len(p) == 0 {
		return nil
	}
	most := uint64(ruleName)
	if len(p) == 1 {
		switch p[0] {
		case "attachments":
			most = ruleFiles
		case "recipients":
			most = ruleRecipients
		case "types":
			most = 100
		}
	}
	return &cost.SizeEstimate{Min: 0, Max: most}
}

func lowerASCII(v ref.Val) ref.Val {
	s, ok := v.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(v)
	}
	return types.String(strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, string(s)))
}
