package policy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxCaseLine bounds a line of cases.
const maxCaseLine = 16 << 20

// Simulate decides cases: one JSON object a line in, one decision a line out, in
// order. Empty lines are skipped.
//
// A case is {id, principal, action, resource, resourceAccount, context{key: value or
// list}, identityPolicies[], boundary[]|null, scps[level][policy],
// rcps[level][policy], resourcePolicy, sessionPolicy} with plain IAM documents; what
// is absent or null is none, and AWS's allow-all RCP is implied. Other members are
// skipped. principal is an ARN of a role, a role session, a user or an account's root,
// or an account ID; a role acts in a session whose name is not known.
//
// Every context key not given is absent, but for those that follow from the case:
// aws:PrincipalArn, aws:PrincipalAccount, aws:PrincipalType, aws:username of a user,
// and aws:ResourceAccount where resourceAccount or the resource's ARN tells it.
//
// A decision is {id, decision, layer}: Allowed, ImplicitDeny or ExplicitDeny by AWS's
// documented reading, and the layer (scp, rcp, resource, identity, boundary, session)
// that granted or refused. With unknown[] in the case, keys whose value is not known,
// {may, must} follow: the decisions if everything undecided is for the request, and
// if it is against it; decision and layer are then may's. With explain, statements[]
// and undecided[] follow.
//
// An error names the line and the JSON path.
func Simulate(ctx context.Context, in io.Reader, out io.Writer, explain bool) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxCaseLine)
	w := bufio.NewWriter(out)
	shared := documents{}
	n := 1
	for ; lines.Scan(); n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		line := lines.Bytes()
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		c, err := parseCase(line, shared)
		if err != nil {
			return errors.Join(fmt.Errorf("line %d: %w", n, err), w.Flush())
		}
		if _, err := w.Write(c.answer(explain)); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return errors.Join(fmt.Errorf("line %d: %w", n, err), w.Flush())
	}
	return w.Flush()
}

// simulation is one case.
type simulation struct {
	id        string
	stack     Stack
	request   Request
	undecided bool // the case names unknown keys
}

// documents are those of earlier lines by their text: cases come in families that
// share their policies.
type documents map[string]*Document

const maxDocuments = 4096

// caseScanner reads cases.
type caseScanner struct {
	scanner
	shared documents
}

func parseCase(line []byte, shared documents) (c *simulation, err error) {
	defer recovered(&err)
	s := &caseScanner{scanner{text: string(line)}, shared}
	c = s.simulation()
	s.end()
	return c, nil
}

// document reads a document, or finds it among those read before.
func (s *caseScanner) document() *Document {
	s.space()
	start := s.pos
	s.skip()
	text := s.text[start:s.pos]
	if d, ok := s.shared[text]; ok {
		return d
	}
	s.pos = start
	d := s.scanner.document()
	if len(s.shared) >= maxDocuments {
		clear(s.shared)
	}
	s.shared[text] = d
	return d
}

func (s *caseScanner) simulation() *simulation {
	if ch := s.peek(); ch != '{' {
		s.fail(s.pos, "a case is an object, found %s", describe(ch))
	}
	c := &simulation{}
	start := s.pos
	known := ClosedContext(nil)
	var unknown []string
	s.object(func(name string, _ int) {
		if s.null() {
			return
		}
		switch name {
		case "id":
			c.id = s.scalar()
		case "principal":
			at := s.pos
			p, err := ParsePrincipal(s.str())
			if err != nil {
				s.fail(at, "%s", err)
			}
			c.request.Principal = p
		case "action":
			c.request.Action = s.str()
		case "resource":
			c.request.Resource = s.str()
		case "resourceAccount":
			at := s.pos
			if c.request.ResourceAccount = s.scalar(); !isAccountID(c.request.ResourceAccount) {
				s.fail(at, "an account ID has 12 digits")
			}
		case "context":
			s.object(func(key string, at int) {
				if _, twice := known.entries[strings.ToLower(key)]; twice {
					s.fail(at, "duplicate key %q: keys are case-insensitive", key)
				}
				known = known.With(key, s.scalars()...)
			})
		case "unknown":
			c.undecided = true
			unknown = s.strings()
		case "identityPolicies":
			c.stack.Identity = s.policies(LayerIdentity)
		case "boundary":
			c.stack.Boundary = s.policies(LayerBoundary)
		case "scps":
			c.stack.SCPs = s.levels(LayerSCP)
		case "rcps":
			c.stack.RCPs = s.levels(LayerRCP)
		case "resourcePolicy":
			c.stack.Resource = s.policy(LayerResource)
		case "sessionPolicy":
			c.stack.Session = s.policy(LayerSession)
		default:
			s.skip()
		}
	})
	for _, need := range [...]struct{ name, value string }{
		{"principal", c.request.Principal.ARN}, {"action", c.request.Action}, {"resource", c.request.Resource},
	} {
		if need.value == "" {
			s.fail(start, "a case needs a %s", need.name)
		}
	}
	c.request.Context = known.Unknown(unknown...)
	return c
}

// null skips a null.
func (s *caseScanner) null() bool {
	if s.peek() != 'n' {
		return false
	}
	s.literal()
	return true
}

// scalar reads a string, number or boolean as text.
func (s *caseScanner) scalar() string { return s.value().Text }

// scalars reads one of them, or a list.
func (s *caseScanner) scalars() []string {
	c := Condition{Values: s.values()}
	return c.Strings()
}

func (s *caseScanner) policy(layer Layer) *Policy {
	return &Policy{Layer: layer, Kind: string(layer), Document: s.document()}
}

// policies reads a list of documents, or one. The list is never nil: a boundary that
// is given but empty allows nothing.
func (s *caseScanner) policies(layer Layer) []Policy {
	if s.peek() == '{' {
		return []Policy{*s.policy(layer)}
	}
	all := []Policy{}
	s.list(func(i int) {
		p := s.policy(layer)
		p.Name = fmt.Sprint(i)
		all = append(all, *p)
	})
	return all
}

func (s *caseScanner) levels(layer Layer) [][]Policy {
	all := [][]Policy{}
	s.list(func(int) { all = append(all, s.policies(layer)) })
	return all
}

// answer is the decision line of the case.
func (c *simulation) answer(explain bool) []byte {
	side := documented
	if c.undecided {
		side = May
	}
	d := c.stack.Decide(c.request, side)
	var w writer
	w.object(func() {
		w.member("id").str(c.id)
		w.member("decision").str(string(d.Outcome))
		w.member("layer").str(string(d.Layer))
		if c.undecided {
			w.member("may").str(string(d.Outcome))
			w.member("must").str(string(c.stack.Decide(c.request, Must).Outcome))
		}
		if explain {
			w.member("statements")
			w.list(len(d.Matches), func(i int) { w.match(&d.Matches[i]) })
			w.member("undecided")
			w.list(len(d.Undecided), func(i int) { w.undecided(&d.Undecided[i]) })
		}
	})
	return append(w.buf, '\n')
}

func (w *writer) list(n int, element func(i int)) {
	w.buf = append(w.buf, '[')
	for i := range n {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		element(i)
	}
	w.buf = append(w.buf, ']')
}

func (w *writer) match(m *Match) {
	w.object(func() {
		w.place(m.Layer, m.Policy, m.Statement)
		w.member("effect").str(string(m.Statement.Effect))
		w.member("applies").str(m.Truth.String())
	})
}

func (w *writer) undecided(u *Undecided) {
	w.object(func() {
		w.place(u.Layer, u.Policy, u.Statement)
		if u.Key != "" {
			w.member("key").str(u.Key)
		}
		w.member("reason").str(u.Reason)
	})
}

// place says where a statement stands.
func (w *writer) place(layer Layer, p *Policy, s *Statement) {
	w.member("layer").str(string(layer))
	if p.Name != "" {
		w.member("policy").str(p.Name)
	}
	w.member("statement").str(fmt.Sprint(s.Index))
	if s.Sid != "" {
		w.member("sid").str(s.Sid)
	}
}
