package awssim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server is the handler of an account, with what a test may switch, count and break. All methods are safe for
// concurrent use, also while requests are served.
type Server struct {
	account *Account
	reports reports

	mu        sync.Mutex
	index     *index
	behaviour Behaviour
	faults    []Fault
	tally     tally
	number    uint64
}

// New makes a server of an account. The account must not be changed afterwards.
func New(account *Account) *Server {
	return &Server{account: account, index: newIndex(account, 0), tally: newTally(0)}
}

// Configure changes the behaviour of the requests that follow.
func (s *Server) Configure(change func(*Behaviour)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.behaviour.clone()
	change(&next)
	s.adopt(next)
}

// SetSwitch changes the behaviour by a line of text, see Behaviour.Set.
func (s *Server) SetSwitch(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.behaviour.clone()
	if err := next.Set(text); err != nil {
		return err
	}
	s.adopt(next)
	return nil
}

func (s *Server) adopt(next Behaviour) {
	if next.Shuffle != s.index.seed {
		s.index = newIndex(s.account, next.Shuffle)
	}
	s.behaviour = next
}

// AddFault makes something go wrong from now on. Faults act in the order they were added.
func (s *Server) AddFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
	s.tally.matched = append(s.tally.matched, 0)
}

// SetFault adds a fault written as text, see ParseFault.
func (s *Server) SetFault(text string) error {
	f, err := ParseFault(text)
	if err != nil {
		return err
	}
	s.AddFault(f)
	return nil
}

// ClearFaults makes everything go right again.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	s.tally.matched = nil
}

// Start serves on a free port of the loopback interface. URL is an endpoint for any AWS client; close ends it
// and the connections it has.
func (s *Server) Start() (url string, close func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("start the loopback AWS: %w", err)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener) //nolint:errcheck // it always ends with http.ErrServerClosed, by close
	return "http://" + listener.Addr().String(), func() { server.Close() }, nil
}

// ServeHTTP answers one request as AWS does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isPerson(r) {
		s.greet(w, r)
		return
	}
	request, err := readRequest(r)
	if err != nil {
		http.Error(w, "awssim: cannot read the request: "+err.Error(), http.StatusBadRequest)
		return
	}
	a := s.answer(r.Context(), request)
	w.Header().Set("Content-Type", a.contentType)
	if a.bucketRegion != "" {
		w.Header().Set("X-Amz-Bucket-Region", a.bucketRegion)
	}
	for name, value := range map[string]string{"Content-Range": a.contentRange, "Content-Encoding": a.contentEncoding, "ETag": a.etag} {
		if value != "" {
			w.Header().Set(name, value)
		}
	}
	if r.Context().Err() != nil {
		return
	}
	send(w, a.status, a.body, a.fault)
}

// answer is what is sent, and the fault that is still to be done to it meanwhile.
type answer struct {
	body            []byte
	status          int
	contentType     string
	bucketRegion    string
	contentRange    string
	contentEncoding string
	etag            string
	fault           FaultKind
}

func (p protocol) refuse(e *apiError, requestID string) answer {
	return answer{body: p.encodeError(e, requestID), status: cmp.Or(e.status, http.StatusBadRequest), contentType: p.contentType()}
}

func (s *Server) answer(ctx context.Context, q *request) answer {
	requestID := uuid(fmt.Sprint("request", s.nextNumber()))
	op := operations[q.service+":"+q.op]
	if op == nil {
		return s.violation(q, requestID)
	}
	c, refusal := s.admit(ctx, q, op)
	elsewhere := new(redirect)
	if refusal == nil {
		result, err := c.operation.serve(c)
		if err == nil {
			a := answer{body: c.encode(result, requestID), status: http.StatusOK, contentType: op.protocol.contentType(), fault: c.faultKind()}
			switch r := result.(type) {
			case *part:
				a.contentType, a.contentEncoding = "application/octet-stream", r.encoding
				if r.key != "" {
					a.etag = r.etag()
				}
				if r.contentRange != "" {
					a.status, a.contentRange = http.StatusPartialContent, r.contentRange
				}
			case string:
				if strings.HasPrefix(r, "<") {
					return a
				}
				a.contentType = "application/json" // the policy itself
			}
			return a
		}
		refusal = asAPIError(op.protocol, err)
		errors.As(err, &elsewhere)
	}
	a := op.protocol.refuse(refusal, requestID)
	a.bucketRegion = elsewhere.region
	return a
}

func (s *Server) nextNumber() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	return s.number
}

// violation refuses and keeps what is not in the read list.
func (s *Server) violation(q *request, requestID string) answer {
	s.mu.Lock()
	s.tally.violations = append(s.tally.violations, Violation{q.service, q.op, q.region, time.Now()})
	s.mu.Unlock()
	return q.protocol.refuse(&apiError{http.StatusForbidden, "ReadOnlyViolation",
		fmt.Sprintf("this loopback AWS answers a short list of read operations only, and %s:%s is not one of them", q.service, q.op)}, requestID)
}

// admit counts a request and takes it through everything that can stop it before its operation is asked.
func (s *Server) admit(ctx context.Context, q *request, op *operation) (*call, *apiError) {
	words := wordings[op.protocol]
	at := place{op.action(), q.region}
	now := time.Now()

	s.mu.Lock()
	c := &call{request: q, operation: op, account: s.account, index: s.index, reports: &s.reports, behaviour: s.behaviour, number: s.number}
	count := s.tally.add(at, q.retry, now)
	delay := time.Duration(0)
	for i := range s.faults {
		f := s.faults[i]
		if !f.matches(at.operation, at.region) {
			continue
		}
		s.tally.matched[i]++
		if !f.due(s.tally.matched[i]) {
			continue
		}
		if f.Kind == Slow {
			delay += f.Delay
		} else if c.fault == nil {
			c.fault = &f
		}
	}
	rate := c.behaviour.rate(at.operation)
	limited := rate > 0 && !s.tally.take(at, rate, now)
	if limited || c.faultKind() == Throttle {
		count.Throttled++
	}
	s.mu.Unlock()

	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
	switch {
	case !q.signed:
		return c, &words.unsigned
	case op.regional && !s.enabled(q.region):
		return c, &words.unknownKey
	case limited:
		return c, &words.throttled
	}
	if c.fault != nil {
		if refusal := c.fault.refusal(c); refusal != nil {
			return c, refusal
		}
	}
	if allow := c.behaviour.Authorize; allow != nil && !op.public {
		if resource := op.resource(c); !allow(op.permission(), resource) {
			return c, op.protocol.deny(s.account.caller().ARN, op.permission(), resource)
		}
	}
	return c, nil
}

func (s *Server) enabled(region string) bool {
	for _, r := range s.account.Regions {
		if r.Name == region {
			return r.Enabled()
		}
	}
	return false
}

// send writes an answer, or what a fault makes of it.
func send(w http.ResponseWriter, status int, body []byte, fault FaultKind) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	switch fault {
	case Cut:
		w.WriteHeader(status)
		w.Write(body[:len(body)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // ends the connection: half of what Content-Length promised has been sent
	case Truncate:
		body = body[:len(body)/2]
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	case Garble:
		body = append([]byte("<<<"), body[:len(body)/2]...)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	w.Write(body)
}

// isPerson tells a browser or a bare curl from an AWS client.
func isPerson(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.Header.Get("Authorization") == "" && !r.URL.Query().Has("Action")
}

func (s *Server) greet(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "This is a loopback AWS: account %s, %d roles, %d training jobs, %d events, as of %s.\n\n"+
		"It speaks AWS's own protocols, so point a client at it:\n\n"+
		"  AWS_ENDPOINT_URL=http://%s AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_REGION=us-east-1 \\\n"+
		"    aws sts get-caller-identity\n\nIt answers these read operations and refuses all others:\n\n",
		s.account.ID, len(s.account.Roles), len(s.account.Jobs), len(s.account.Events), s.account.Now.Format(time.RFC3339), r.Host)
	for _, action := range Operations() {
		fmt.Fprintln(w, "  "+action)
	}
}
