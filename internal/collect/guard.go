package collect

import (
	"context"
	"fmt"

	"github.com/aws/smithy-go/middleware"
)

// readOnly refuses every operation that is not in [Operations], and to list or read
// objects unless that was asked for. It stands first in the stack of each client, so a
// refused call never becomes a request.
func readOnly(o *Options) func(*middleware.Stack) error {
	unasked := map[string]bool{opGetObject: !o.Manifests && !o.readsLogObjects(), opListObjects: !o.readsLogObjects()}
	return func(stack *middleware.Stack) error { return addReadOnly(stack, unasked) }
}

func addReadOnly(stack *middleware.Stack, unasked map[string]bool) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("ReadOnly", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		if id := callID(ctx); !allowed[id] || unasked[id] {
			return middleware.InitializeOutput{}, middleware.Metadata{}, fmt.Errorf("%s is not in the list of operations that may be called", id)
		}
		return next.HandleInitialize(ctx, in)
	}), middleware.Before)
}

// counting tells count of each attempt as it is sent, retries included.
func counting(count func(operation string)) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("CountAttempts", func(
			ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
		) (middleware.DeserializeOutput, middleware.Metadata, error) {
			count(callID(ctx))
			return next.HandleDeserialize(ctx, in)
		}), middleware.After)
	}
}

func callID(ctx context.Context) string {
	return operationID(middleware.GetServiceID(ctx), middleware.GetOperationName(ctx))
}
