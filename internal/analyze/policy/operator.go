package policy

import "strings"

// operator is a condition operator taken apart: [ForAllValues:|ForAnyValue:]Name[IfExists].
// AWS: reference_policies_elements_condition_operators.
type operator struct {
	compare  comparison
	negated  bool
	ifExists bool
	set      setOperator
}

// comparison is what an operator compares with; the negated operators share their
// positive one's.
type comparison uint8

const (
	compareNothing comparison = iota // no operator that is known
	stringEquals
	stringEqualsIgnoreCase
	stringLike
	numericEquals
	numericLess
	numericLessEquals
	numericGreater
	numericGreaterEquals
	dateEquals
	dateLess
	dateLessEquals
	dateGreater
	dateGreaterEquals
	boolean
	binaryEquals
	ipAddress
	arnLike
	null
)

// setOperator says how a multivalued key is compared.
// AWS: reference_policies_condition-single-vs-multi-valued-context-keys.
type setOperator uint8

const (
	single setOperator = iota
	forAllValues
	forAnyValue
)

// operators by name in lower case. ArnEquals is the same as ArnLike.
var operators = map[string]operator{
	"stringequals":              {compare: stringEquals},
	"stringnotequals":           {compare: stringEquals, negated: true},
	"stringequalsignorecase":    {compare: stringEqualsIgnoreCase},
	"stringnotequalsignorecase": {compare: stringEqualsIgnoreCase, negated: true},
	"stringlike":                {compare: stringLike},
	"stringnotlike":             {compare: stringLike, negated: true},
	"numericequals":             {compare: numericEquals},
	"numericnotequals":          {compare: numericEquals, negated: true},
	"numericlessthan":           {compare: numericLess},
	"numericlessthanequals":     {compare: numericLessEquals},
	"numericgreaterthan":        {compare: numericGreater},
	"numericgreaterthanequals":  {compare: numericGreaterEquals},
	"dateequals":                {compare: dateEquals},
	"datenotequals":             {compare: dateEquals, negated: true},
	"datelessthan":              {compare: dateLess},
	"datelessthanequals":        {compare: dateLessEquals},
	"dategreaterthan":           {compare: dateGreater},
	"dategreaterthanequals":     {compare: dateGreaterEquals},
	"bool":                      {compare: boolean},
	"binaryequals":              {compare: binaryEquals},
	"ipaddress":                 {compare: ipAddress},
	"notipaddress":              {compare: ipAddress, negated: true},
	"arnequals":                 {compare: arnLike},
	"arnlike":                   {compare: arnLike},
	"arnnotequals":              {compare: arnLike, negated: true},
	"arnnotlike":                {compare: arnLike, negated: true},
	"null":                      {compare: null},
}

// parseOperator reads an operator's name; one that IAM does not have compares nothing.
func parseOperator(name string) operator {
	base, set := strings.ToLower(name), single
	if rest, ok := strings.CutPrefix(base, "forallvalues:"); ok {
		base, set = rest, forAllValues
	} else if rest, ok := strings.CutPrefix(base, "foranyvalue:"); ok {
		base, set = rest, forAnyValue
	}
	base, ifExists := strings.CutSuffix(base, "ifexists")
	op, ok := operators[base]
	if !ok || op.compare == null && (ifExists || set != single) {
		return operator{}
	}
	op.ifExists, op.set = ifExists, set
	return op
}

// takesVariables reports whether values of the operator may hold policy variables
// (AWS: reference_policies_variables "Condition element").
func (o operator) takesVariables() bool {
	switch o.compare {
	case stringEquals, stringEqualsIgnoreCase, stringLike, arnLike:
		return true
	}
	return false
}
