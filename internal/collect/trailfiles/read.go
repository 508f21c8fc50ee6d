package trailfiles

import (
	"context"
	"errors"
)

// Read reads the files of all listings and returns what they tell: each call once,
// whichever listing it was delivered to. It errs only when the context ends.
func Read(ctx context.Context, listings []*Listing, o Options) (*Result, error) {
	return nil, errors.New("not yet")
}
