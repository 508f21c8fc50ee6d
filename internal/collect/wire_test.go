package collect

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sagemaker-role-audit/internal/collect/awssim"
)

// onFakeClock runs test in a bubble with a clock of its own, in which pauses take
// no time, with a loopback AWS at the other end of a pipe.
func onFakeClock(t *testing.T, a *awssim.Account, test func(t *testing.T, server *awssim.Server, o Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server, o := awssim.New(a), options(a)
		wire := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		listener := &http.Server{Handler: distant{server}}
		go listener.Serve(wire)
		client := &http.Client{Transport: &http.Transport{DialContext: wire.dial, MaxIdleConnsPerHost: 16}}
		o.EndpointURL, o.httpClient = "http://aws.test", client
		test(t, server, o)
		client.CloseIdleConnections()
		listener.Close()
	})
}

// distant answers after a moment: the SDK lets go of a request as soon as it has the
// answer, which on a wire without any delay can be before it was sent.
type distant struct{ server http.Handler }

func (d distant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	time.Sleep(time.Millisecond)
	d.server.ServeHTTP(w, r)
}

// pipes is a listener whose connections are made in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "aws.test", Net: "pipe"} }

// wireFunc is a wire that a test answers itself.
type wireFunc func(*http.Request) (*http.Response, error)

func (f wireFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

func newAnswer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: make(http.Header), Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}
