package policy

import (
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A term is one condition (or its complement) as a set of states of its key, once
// it is settled on which side to err. A key is absent, or all its values are empty, or
// it has values; of those the term asks that every one, or that some one, lie in a
// set of texts. A request with several values for an operator without ForAllValues or
// ForAnyValue has no documented answer: erring up it asks for some, erring down for every one.
//
// AWS: reference_policies_elements_condition_operators,
// reference_policies_condition-single-vs-multi-valued-context-keys.
type term struct {
	key string
	c   *Condition
	not bool // the complement
	up  bool // what is undecided counts as met, before not

	absent, blank Truth // Unknown: not known
	every         bool
	constant      bool // the texts are all (Null, met) or none
	met           bool
	// opaque: nothing is known of the set but that it is equal to itself.
	opaque bool
	chains []chain // of String and Arn operators; without not
	name   string  // equal for equal terms, up to not
}

// complement is everything else.
func (l term) complement() term {
	l.not, l.every, l.met = !l.not, !l.every, !l.met
	l.absent, l.blank = True-l.absent, True-l.blank
	return l
}

// excludes reports that the texts are those that match none of the condition's values.
func (l *term) excludes() bool { return l.c.op.negated != l.not }

// holds reports whether a text lies in the set, where no variable is open.
func (l *term) holds(q *question, text string) bool {
	if l.constant {
		return l.met
	}
	t := l.c.evaluateValue(&q.env, text).truth
	return (t == True || t == Unknown && l.up) != l.not
}

// The spellings of values and operators that nobody reads in two ways.
var (
	plainNumber   = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
	plainDate     = regexp.MustCompile(`^(\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d))?|\d{5,})$`)
	plainOperator = regexp.MustCompile(`^(For(All|Any)Values?:)?(String(Not)?(Equals(IgnoreCase)?|Like)|Numeric((Not)?Equals|(Less|Greater)Than(Equals)?)|Date((Not)?Equals|(Less|Greater)Than(Equals)?)|Bool|BinaryEquals|(Not)?IpAddress|Arn(Not)?(Equals|Like)|Null)(IfExists)?$`)
	plainVariable = regexp.MustCompile(`^\$\{([*?$]|[A-Za-z0-9:/_.@+=-]+(, '[^'{}]*')?)\}`)
)

// plainVariables reports whether every variable of the text is spelled in the one way
// that AWS documents (AWS: reference_policies_variables).
func plainVariables(text string) bool {
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			return true
		}
		v := plainVariable.FindString(text[i:])
		if v == "" {
			return false
		}
		text = text[i+len(v):]
	}
}

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > 0x7f })
}

// terms are the statement's conditions, erring up or down. dead reports that one of
// them certainly fails in what is known.
func (q *question) terms(s *Statement, up bool) (all []term, dead bool) {
	if len(q.env.context.assumed) > 0 && len(s.Conditions) > 0 {
		if holds, ok := q.env.context.assumed[s.conditionText()]; ok {
			return nil, !holds
		}
	}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		l := q.term(s, c, up)
		if _, presence := q.env.lookup(c.key); presence != unknown && !l.opaque && !varies(l.chains) {
			t := c.evaluate(&q.env).truth
			if t == False || t == Unknown && !up {
				return nil, true
			}
			continue
		}
		all = append(all, l)
	}
	return all, false
}

func varies(chains []chain) bool { return slices.ContainsFunc(chains, chain.variable) }

func (q *question) term(s *Statement, c *Condition, up bool) term {
	l := term{key: c.key, c: c, up: up}
	var name strings.Builder
	name.WriteString(strings.ToLower(c.Operator) + " " + c.key)
	for _, v := range sorted(c.Strings()) {
		name.WriteString(" " + quote(v) + v)
	}
	if s.literal {
		name.WriteString(" literal")
	}
	if up {
		name.WriteString(" up")
	}
	l.name = name.String()
	l.every = c.op.set == forAllValues || c.op.set == single && !up
	l.chains, l.opaque = q.conditionChains(s, c)
	if l.opaque {
		l.absent, l.blank = Unknown, Unknown
		return l
	}
	l.absent, l.blank = q.stateless(c, Context{closed: true}, up), q.stateless(c, ClosedContext(map[string][]string{c.key: {""}}), up)
	if varies(l.chains) && c.op.set == single {
		l.blank = Unknown // a variable's default may be empty
	}
	if c.op.compare == null {
		// AWS: reference_policies_elements_condition_operators "Condition operator to
		// check existence of condition keys".
		l.constant = true
		l.met = c.evaluateNull(&environment{context: &Context{}}, false).truth == True
	}
	return l
}

// stateless is the truth of a condition in which no variable counts.
func (q *question) stateless(c *Condition, in Context, up bool) Truth {
	t := c.evaluate(&environment{context: &in}).truth
	return decided(t == True || t == Unknown && up).truth
}

// conditionChains are the values of a String or Arn condition; opaque reports that what
// the condition means is open to readers.
func (q *question) conditionChains(s *Statement, c *Condition) (chains []chain, opaque bool) {
	if !plainOperator.MatchString(c.Operator) || c.op.compare == compareNothing || !ascii(c.Key) {
		return nil, true
	}
	for i, v := range c.Values {
		policy := &c.values[i]
		switch c.op.compare {
		case numericEquals, numericLess, numericLessEquals, numericGreater, numericGreaterEquals:
			opaque = policy.valid != plainNumber.MatchString(v.Text)
		case dateEquals, dateLess, dateLessEquals, dateGreater, dateGreaterEquals:
			opaque = policy.valid != plainDate.MatchString(v.Text)
		case ipAddress:
			opaque = policy.valid && policy.prefix().Addr().Is4In6() || strings.Contains(v.Text, "%")
		case null:
			opaque = !policy.valid
		case stringEquals, stringEqualsIgnoreCase, stringLike, arnLike:
			var ch chain
			var ok bool
			if ch, ok, opaque = q.conditionChain(s, c, i); ok {
				chains = append(chains, ch)
			}
		}
		if opaque {
			return nil, true
		}
	}
	return chains, false
}

func (q *question) conditionChain(s *Statement, c *Condition, i int) (ch chain, ok, opaque bool) {
	text := c.Values[i].Text
	if !s.literal && !plainVariables(text) {
		return nil, false, true
	}
	ch, ok = q.vars.chain(&c.values[i].text, &q.env)
	switch c.op.compare {
	case stringEqualsIgnoreCase:
		if !ascii(text) || ch.variable() {
			return nil, false, true
		}
		ch = slices.Clone(ch)
		for j, t := range ch {
			ch[j] = token{tokenFold, rune(lowerAction(string(t.char))[0])}
		}
	case arnLike:
		// Six components, compared one by one.
		r := newResourceChain(ch)
		if len(r.parts) != arnParts {
			return nil, false, ok
		}
		for _, part := range r.parts[:arnParts-1] {
			if part.variable() {
				return nil, false, true
			}
		}
		ch = r.within(false)
	}
	return ch, ok, false
}

// singleValued reports a key that has at most one value in any request.
//
// AWS: reference_policies_condition-keys ("Value type"), and for tags
// reference_policies_condition-single-vs-multi-valued-context-keys.
func singleValued(key string) bool {
	switch key {
	case "aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principaltype", "aws:userid", "aws:username",
		"aws:requestedregion", "aws:resourceaccount", "aws:resourceorgid", "aws:securetransport", "aws:sourceaccount",
		"aws:sourcearn", "aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip", "aws:viaawsservice",
		"aws:calledviafirst", "aws:calledvialast", "aws:currenttime", "aws:epochtime", "aws:multifactorauthpresent",
		"aws:multifactorauthage", "aws:principalisawsservice", "aws:tokenissuetime", "aws:useragent", "aws:referer":
		return true
	}
	for _, tag := range [...]string{principalTag, "aws:requesttag/", "aws:resourcetag/"} {
		if strings.HasPrefix(key, tag) {
			return true
		}
	}
	return false
}

// follows reports that every state of a key that meets all the premises meets the goal.
func (q *question) follows(premises []term, goal *term) bool {
	var on []*term
	for i := range premises {
		p := &premises[i]
		if p.key != goal.key {
			continue
		}
		if p.name == goal.name && p.not == goal.not {
			return true
		}
		on = append(on, p)
	}
	if goal.opaque {
		return false
	}
	absent, blank := True, True
	for _, p := range on {
		absent, blank = min(absent, p.absent), min(blank, p.blank)
	}
	outside := goal.complement()
	against := append(slices.Clip(on), &outside)
	if absent != False && goal.absent != True || blank != False && goal.blank != True && !q.noText(against) {
		return false
	}
	return q.noValues(on) || q.noValues(against)
}

// noText reports that no text, the empty one neither, lies in all the sets, where no set
// operator makes the empty one something else.
func (q *question) noText(all []*term) bool {
	if slices.ContainsFunc(all, func(l *term) bool { return l.constant || l.opaque || l.c.op.set != single }) {
		return false
	}
	_, found := q.value(all, false)
	return found == False
}

// contradict reports that no request meets all of the terms.
func (q *question) contradict(all []term) bool {
	for i := range all {
		first := true
		var on []*term
		absent, blank := True, True
		for j := range all {
			l := &all[j]
			if l.key != all[i].key {
				continue
			}
			if first = first && j >= i; !first {
				break
			}
			if l.name == all[i].name && l.not != all[i].not {
				return true
			}
			on = append(on, l)
			absent, blank = min(absent, l.absent), min(blank, l.blank)
		}
		if first && absent == False && blank == False && q.noValues(on) {
			return true
		}
	}
	return false
}

// noValues reports that no values of a key, not all of them empty, meet all the
// terms. Each value must lie in the sets that every value must lie in; and for
// each set that some value must lie in there is one.
func (q *question) noValues(all []*term) bool {
	if len(all) == 0 {
		return false
	}
	if singleValued(all[0].key) {
		_, found := q.value(all, true)
		return found == False
	}
	var every []*term
	for _, l := range all {
		if l.every {
			every = append(every, l)
		}
	}
	if len(every) > 0 {
		if _, found := q.value(every, false); found == False {
			return true
		}
	}
	for _, l := range all {
		if !l.every {
			if _, found := q.value(append(slices.Clip(every), l), false); found == False {
				return true
			}
		}
	}
	return false
}

// value finds a text in all of the sets: True with it, False when there is provably
// none. filled: the empty text does not count.
func (q *question) value(all []*term, filled bool) (string, Truth) {
	maybe := false
	var texts, ordered []*term
	for _, l := range all {
		switch {
		case l.opaque:
			maybe = true
		case l.constant:
			if !l.met {
				return "", False
			}
		case l.c.op.takesVariables():
			texts = append(texts, l)
		default:
			ordered = append(ordered, l)
		}
	}
	check := func(text string) bool {
		return !(filled && text == "") && !slices.ContainsFunc(all, func(l *term) bool { return !l.opaque && !varies(l.chains) && !l.holds(q, text) })
	}
	result := func(text string) (string, Truth) {
		if maybe || slices.ContainsFunc(texts, func(l *term) bool { return varies(l.chains) }) {
			return text, Unknown
		}
		return text, True
	}
	for _, l := range texts {
		if l.c.op.compare == stringEquals && !l.excludes() && !varies(l.chains) {
			// A list of values: one of them, or none.
			for _, ch := range l.chains {
				if text := ch.text(); check(text) {
					return result(text)
				}
			}
			return "", False
		}
	}
	if len(ordered) > 0 {
		family := ordered[0].c.op.compare.family()
		if slices.ContainsFunc(ordered, func(l *term) bool { return l.c.op.compare.family() != family }) {
			return "", Unknown
		}
		points := criticalValues(ordered)
		if len(texts) > 0 {
			maybe = true // texts in the form of numbers are no matter for a walk
		}
		for _, text := range points {
			if !slices.ContainsFunc(ordered, func(l *term) bool { return !l.holds(q, text) }) {
				return result(text)
			}
		}
		return "", False
	}
	if len(texts) == 0 {
		return result("x")
	}
	text, found := q.knownValue(texts, filled)
	if found != True {
		return text, found
	}
	return result(text)
}

// text spells a chain of plain characters.
func (c chain) text() string {
	text := make([]rune, len(c))
	for i, t := range c {
		text[i] = t.char
	}
	return string(text)
}

// knownValue is walkValue, once for the same terms: one kind of actions after the other
// asks about the same conditions.
func (q *question) knownValue(all []*term, filled bool) (string, Truth) {
	var key strings.Builder
	for _, l := range all {
		if l.not {
			key.WriteByte('!')
		}
		key.WriteString(l.name)
		key.WriteByte('\n')
	}
	if filled {
		key.WriteByte('+')
	}
	if known, ok := q.values[key.String()]; ok {
		return known.text, known.found
	}
	text, found := q.walkValue(all, filled)
	q.values[key.String()] = foundValue{text, found}
	return text, found
}

type foundValue struct {
	text  string
	found Truth
}

// walkValue is value for String and Arn operators. A text that is no ARN is of the
// wrong type for an Arn operator.
func (q *question) walkValue(all []*term, filled bool) (string, Truth) {
	var base constraints
	var arns []*term
	vary, varyText, in := false, false, 0
	for _, l := range all {
		if varies(l.chains) {
			vary, varyText = true, varyText || l.c.op.compare != arnLike
		}
		if !l.excludes() {
			in++
		}
		if l.c.op.compare == arnLike {
			arns = append(arns, l)
			continue
		}
		base = append(base, constraint{l.chains, !l.excludes()})
	}
	if filled && !vary {
		base = append(base, constraint{[]chain{someText}, true})
	}
	settle := func(c constraints) (string, Truth) {
		if vary && in <= 1 && !(varyText && len(arns) > 0) {
			if text, found := c.walk(&q.steps); found == False {
				return text, found
			}
		}
		if vary {
			c = c.free()
		}
		return c.walk(&q.steps)
	}
	if len(arns) == 0 {
		return settle(base)
	}
	asARN := append(slices.Clone(base), constraint{[]chain{everyARN}, true})
	for _, l := range arns {
		asARN = append(asARN, constraint{l.chains, !l.excludes()})
	}
	text, found := settle(asARN)
	if found == True {
		return text, True
	}
	for _, l := range arns {
		switch {
		case varies(l.chains): // without a value it matches nothing, and is of no type
		case len(l.chains) == 0 && !l.excludes(), len(l.chains) > 0 && l.up == l.not:
			return text, found
		}
	}
	other, otherwise := settle(append(base, constraint{[]chain{everyARN}, false}))
	if otherwise == False {
		return text, found
	}
	return other, otherwise
}

// family groups the comparisons that read a value alike.
func (c comparison) family() comparison {
	switch {
	case numericEquals <= c && c <= numericGreaterEquals:
		return numericEquals
	case dateEquals <= c && c <= dateGreaterEquals:
		return dateEquals
	}
	return c
}

// criticalValues are texts of which one lies in all of the terms' sets if any text
// does: the bounds that the conditions name, something between each two and beyond,
// and a text that is none of the operators' type. The terms are of one family.
func criticalValues(all []*term) []string {
	var operands []*operand
	var texts []string
	for _, l := range all {
		for i := range l.c.values {
			if v := &l.c.values[i]; v.valid {
				operands = append(operands, v)
				texts = append(texts, l.c.Values[i].Text)
			}
		}
	}
	var points []string
	switch all[0].c.op.compare.family() {
	case numericEquals:
		points = criticalNumbers(operands)
	case dateEquals:
		points = criticalDates(operands)
	case ipAddress:
		points = criticalAddresses(operands)
	case boolean:
		points = []string{"true", "false"}
	case binaryEquals:
		points = append(sorted(texts), "", "eA==", "eHg=", "eHh4")
		for n := len(points); len(points) < n+len(texts); {
			points = append(points, points[len(points)-1]+"eHh4")
		}
	}
	return append(points, "?")
}

func criticalNumbers(operands []*operand) []string {
	bounds := make([]*big.Rat, len(operands))
	for i, v := range operands {
		bounds[i] = v.number()
	}
	slices.SortFunc(bounds, (*big.Rat).Cmp)
	if len(bounds) == 0 {
		return []string{"0"}
	}
	one := big.NewRat(1, 1)
	points := []string{decimal(new(big.Rat).Sub(bounds[0], one))}
	for i, b := range bounds {
		points = append(points, decimal(b))
		if i+1 < len(bounds) {
			points = append(points, decimal(new(big.Rat).Mul(new(big.Rat).Add(b, bounds[i+1]), big.NewRat(1, 2))))
		}
	}
	return append(points, decimal(new(big.Rat).Add(bounds[len(bounds)-1], one)))
}

// decimal spells a number; plainNumber has at most 64 digits, and a half one more.
func decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	return strings.TrimRight(r.FloatString(70), "0")
}

func criticalDates(operands []*operand) []string {
	bounds := make([]time.Time, len(operands))
	for i, v := range operands {
		bounds[i] = v.date()
	}
	slices.SortFunc(bounds, time.Time.Compare)
	if len(bounds) == 0 {
		return []string{"2026-01-01T00:00:00Z"}
	}
	var points []string
	add := func(t time.Time) {
		if t = t.UTC(); t.Year() >= 0 && t.Year() <= 9999 {
			points = append(points, t.Format(time.RFC3339Nano))
		}
	}
	add(bounds[0].Add(-24 * time.Hour))
	for i, b := range bounds {
		add(b)
		if i+1 < len(bounds) {
			add(b.Add(bounds[i+1].Sub(b) / 2))
		}
	}
	add(bounds[len(bounds)-1].Add(24 * time.Hour))
	return points
}

func criticalAddresses(operands []*operand) []string {
	addresses := []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	for _, v := range operands {
		prefix := v.prefix().Masked()
		first, last := prefix.Addr(), lastAddress(prefix)
		addresses = append(addresses, first, last, first.Prev(), last.Next())
	}
	addresses = slices.DeleteFunc(addresses, func(a netip.Addr) bool { return !a.IsValid() || a.Is4In6() })
	slices.SortFunc(addresses, netip.Addr.Compare)
	var points []string
	for _, a := range slices.Compact(addresses) {
		points = append(points, a.String())
	}
	return points
}

func lastAddress(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}
