package collect

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
)

// pacer spaces the requests of one quota so that no window of one second holds
// more than rate of them by the server's clock, whatever the network does: a
// request leaves a full window after the ANSWER to the one that opened the window,
// not after that one left.
//
// LookupEvents has a quota of 2 requests a second for each account and region,
// which cannot be raised (AWS: whatiscloudtrail-limits) and is shared with whoever
// else looks events up: so the pace halves while the server throttles.
type pacer struct {
	mu   sync.Mutex
	left time.Time // when the last request left
	// answered are the times of the last answers, a window's worth, oldest first.
	answered []time.Time
	burst    int
	window   time.Duration
	// calm counts the good answers that are still to come until full pace.
	calm int
}

// calmAfter is how many good answers in a row end the half pace.
const calmAfter = 10

// newPacer paces at rate requests a second; rate must be above 0.
func newPacer(rate float64) *pacer {
	burst := max(1, int(rate))
	return &pacer{burst: burst, window: time.Duration(float64(burst) / rate * float64(time.Second))}
}

// attempts is the middleware: it stands behind the retries, so that each of them
// is paced as well.
func (p *pacer) attempts(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("Pace", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		// Held through the call: requests of one quota go one by one.
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := p.wait(ctx); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
		out, metadata, err := next.HandleFinalize(ctx, in)
		p.done(err)
		return out, metadata, err
	}), "Retry", middleware.After)
}

// wait waits for the turn of the next request: an even share of the window after
// the last one left, and a window after the answer that opened it.
func (p *pacer) wait(ctx context.Context) error {
	window := p.window
	if p.calm > 0 {
		window *= 2
	}
	turn := p.left.Add(window / time.Duration(p.burst))
	if len(p.answered) == p.burst && p.answered[0].Add(window).After(turn) {
		turn = p.answered[0].Add(window)
	}
	pause := time.NewTimer(time.Until(turn))
	defer pause.Stop()
	select {
	case <-pause.C:
		p.left = time.Now()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pacer) done(err error) {
	p.answered = append(p.answered, time.Now())
	if n := len(p.answered) - p.burst; n > 0 {
		p.answered = p.answered[n:]
	}
	switch {
	case throttled(err):
		p.calm = calmAfter
	case err == nil && p.calm > 0:
		p.calm--
	}
}

func throttled(err error) bool {
	return err != nil && retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary
}
