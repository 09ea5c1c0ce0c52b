package picloud

import "context"

// KindInvoke is the kind of executions that are asked for directly, not by an event. No trigger can be registered for it.
const KindInvoke Kind = "invoke"

// TypeInvoke is the type of the event of a direct call that names no type of its own.
const TypeInvoke = "picloud.invoke"

// Idempotency remembers which execution a caller's Idempotency-Key stands for.
type Idempotency interface {
	// Attach binds key to executionID for 24 h. When the key is bound already, attached is true and first is the execution that it stands for;
	// else first is executionID.
	Attach(ctx context.Context, appID, key, executionID string) (first string, attached bool, err error)
	// Rebind gives a key that stands for before to after, for 24 h. False when it stands for another by now.
	Rebind(ctx context.Context, appID, key, before, after string) (rebound bool, err error)
}

// Abandoned reads the executions that ended when their callers were gone.
type Abandoned interface {
	// ListAbandoned gives them newest first; the cursor is an execution's id.
	ListAbandoned(ctx context.Context, appID string, page Page) (List[AbandonedExecution], error)
	CountAbandoned(ctx context.Context, appID string) (int64, error)
	// Received says that the end of an execution that ran in another process has reached its caller.
	Received(ctx context.Context, executionID string) error
}
