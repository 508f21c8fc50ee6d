package policy

// Parse reads a policy document in any spelling that IAM accepts: one Statement or a
// list of them, a string or a list of strings wherever IAM takes either, numbers and
// booleans as condition values, either Version or none. It refuses duplicate keys,
// wrong types and anything after the document with a *SyntaxError that names the
// byte offset and the JSON path. Elements that IAM does not know are skipped: IAM
// refuses them when a policy is written, so one in a live policy is newer than this code.
//
// AWS: reference_policies_grammar.
func Parse(data []byte) (doc *Document, err error) {
	defer recovered(&err)
	s := &scanner{text: string(data)}
	doc = s.document()
	s.end()
	return doc, nil
}

func (s *scanner) document() *Document {
	if c := s.peek(); c != '{' {
		s.fail(s.pos, "a policy document is an object, found %s", describe(c))
	}
	d := &Document{}
	found := false
	start := s.pos
	s.object(func(name string, _ int) {
		switch name {
		case "Version":
			at := s.pos
			if d.version = s.str(); d.version != Version2012 && d.version != Version2008 {
				s.fail(at, "unknown version %q: %s or %s", d.version, Version2012, Version2008)
			}
		case "Id":
			d.id = s.str()
		case "Statement":
			found = true
			d.statements = s.statements()
		default:
			s.skip()
		}
	})
	if !found {
		s.fail(start, "no Statement")
	}
	d.compile()
	return d
}

func (s *scanner) statements() []*Statement {
	switch c := s.peek(); c {
	case '{':
		return []*Statement{s.statement()}
	case '[':
		all := []*Statement{}
		s.list(func(int) { all = append(all, s.statement()) })
		return all
	default:
		s.fail(s.pos, "expected a statement or a list of statements, found %s", describe(c))
		return nil
	}
}

func (s *scanner) statement() *Statement {
	start := s.pos
	st := &Statement{}
	action, resource, principal := "", "", ""
	// once notes that an element stands in the statement and refuses its opposite.
	once := func(slot *string, name string, at int) {
		if *slot != "" {
			s.fail(at, "%s and %s exclude each other", *slot, name)
		}
		*slot = name
	}
	s.object(func(name string, at int) {
		switch name {
		case "Sid":
			st.Sid = s.str()
		case "Effect":
			from := s.pos
			if st.Effect = Effect(s.str()); st.Effect != Allow && st.Effect != Deny {
				s.fail(from, "Effect is %q: Allow or Deny, in exactly this spelling", string(st.Effect))
			}
		case "Action", "NotAction":
			once(&action, name, at)
			st.Actions, st.NotAction = s.strings(), name == "NotAction"
		case "Resource", "NotResource":
			once(&resource, name, at)
			st.Resources, st.NotResource = s.strings(), name == "NotResource"
		case "Principal", "NotPrincipal":
			once(&principal, name, at)
			st.Principals, st.NotPrincipal = s.principals(), name == "NotPrincipal"
		case "Condition":
			st.Conditions = s.conditions()
		default:
			s.skip()
		}
	})
	switch {
	case st.Effect == "":
		s.fail(start, "a statement needs an Effect")
	case action == "":
		s.fail(start, "a statement needs an Action or a NotAction")
	case st.NotPrincipal && st.Effect == Allow:
		// AWS: reference_policies_elements_notprincipal.
		s.fail(start, "NotPrincipal goes with Deny only")
	}
	return st
}

func (s *scanner) principals() []PrincipalSet {
	switch c := s.peek(); c {
	case '"':
		at := s.pos
		if text := s.str(); text != "*" {
			s.fail(at, `a Principal is "*" or an object, found %q`, text)
		}
		return []PrincipalSet{{Type: "*", Values: []string{"*"}}}
	case '{':
		sets := []PrincipalSet{}
		s.object(func(name string, _ int) {
			sets = append(sets, PrincipalSet{Type: name, Values: s.strings()})
		})
		return sets
	default:
		s.fail(s.pos, `a Principal is "*" or an object, found %s`, describe(c))
		return nil
	}
}

func (s *scanner) conditions() []Condition {
	if c := s.peek(); c != '{' {
		s.fail(s.pos, "a Condition is an object, found %s", describe(c))
	}
	var all []Condition
	s.object(func(operator string, _ int) {
		if c := s.peek(); c != '{' {
			s.fail(s.pos, "a condition operator takes an object of keys, found %s", describe(c))
		}
		s.object(func(key string, _ int) {
			all = append(all, Condition{Operator: operator, Key: key, Values: s.values()})
		})
	})
	return all
}

// values reads a condition value or a list of them.
func (s *scanner) values() []Value {
	if s.peek() != '[' {
		return []Value{s.value()}
	}
	values := []Value{}
	s.list(func(int) { values = append(values, s.value()) })
	return values
}

func (s *scanner) value() Value {
	switch c := s.peek(); {
	case c == '"':
		return Value{Text: s.str(), Quoted: true}
	case c == '-' || '0' <= c && c <= '9':
		return Value{Text: s.number()}
	case c == 't' || c == 'f':
		return Value{Text: s.literal()}
	default:
		s.fail(s.pos, "a condition value is a string, a number or a boolean, found %s", describe(c))
		return Value{}
	}
}
