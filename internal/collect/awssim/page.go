package awssim

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
)

// page is a stretch [from, to) of a list, and the token for what follows it.
type page struct {
	from, to int
	next     string // empty at the end
}

// badToken is a page token that the server did not give out for this request.
type badToken string

func (t badToken) Error() string {
	return fmt.Sprintf("page token %q is not one of this request", string(t))
}

// page finds the stretch of a list of total items that a request asks for. The token holds a digest of parameters,
// which are all that must stay the same from page to page.
func (c *call) page(total, size int, token string, parameters ...any) (page, error) {
	digest := fnv.New64a()
	fmt.Fprintf(digest, "%s %s %+v", c.operation.action(), c.region, parameters)
	mark := strconv.FormatUint(digest.Sum64(), 36)

	p := page{}
	if token != "" {
		text, err := base64.RawURLEncoding.DecodeString(token)
		prefix, offset, ok := strings.Cut(string(text), ".")
		if err != nil || !ok || prefix != mark {
			return p, badToken(token)
		}
		if p.from, err = strconv.Atoi(offset); err != nil || p.from < 0 || p.from > total {
			return p, badToken(token)
		}
	}
	if limit := c.behaviour.pageCap(c.operation.action()); limit > 0 {
		size = min(size, limit)
	}
	p.to = min(p.from+size, total)

	next := p.to
	switch c.faultKind() {
	case Empty:
		return page{from: p.from, to: p.from}, nil
	case EmptyPage:
		p.to, next = p.from, p.from
	}
	if c.behaviour.Overlap && next < total && next-p.from > 1 {
		next--
	}
	if next < total {
		p.next = base64.RawURLEncoding.EncodeToString([]byte(mark + "." + strconv.Itoa(next)))
	}
	if c.faultKind() == RepeatToken && token != "" {
		p.next = token
	}
	return p, nil
}

// disorder shuffles the items of one answer where the behaviour asks for it.
func disorder[T any](c *call, items []T) {
	if !c.behaviour.AnyOrder {
		return
	}
	random := rand.New(rand.NewPCG(c.behaviour.Shuffle, c.number))
	random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
}

// faultIsEmpty is for answers without pages, which the two kinds empty alike.
func (c *call) faultIsEmpty() bool { return c.faultKind() == Empty || c.faultKind() == EmptyPage }

func (c *call) faultKind() FaultKind {
	if c.fault == nil {
		return ""
	}
	return c.fault.Kind
}
