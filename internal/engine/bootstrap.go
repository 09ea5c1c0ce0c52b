package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// bootstrapPause is the time between two looks at a cluster that is not there yet.
const bootstrapPause = 50 * time.Millisecond

// Services are the two gRPC services that bootstrapping needs. client.Client of the SDK is one.
type Services interface {
	WorkflowService() workflowservice.WorkflowServiceClient
	OperatorService() operatorservice.OperatorServiceClient
}

// EnsureNamespace registers the namespace where the cluster has none of that name, with closed workflows kept for
// retention, and returns when the cluster knows it. A cluster that does not answer yet is waited for until ctx ends. A
// namespace that exists is left as it is. Temporal Cloud makes namespaces elsewhere: there a missing one is an error.
func EnsureNamespace(ctx context.Context, cluster Services, namespace string, retention time.Duration) error {
	missing, err := isMissing(ctx, cluster, namespace)
	if err == nil && missing {
		err = poll(ctx, func() (bool, error) {
			_, err := cluster.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
				Namespace:                        namespace,
				WorkflowExecutionRetentionPeriod: durationpb.New(retention),
			})
			var exists *serviceerror.NamespaceAlreadyExists // another node was faster
			if err == nil || errors.As(err, &exists) {
				return true, nil
			}
			return !isTransient(err), fmt.Errorf("register namespace %q: %w", namespace, err)
		})
	}
	if err != nil {
		return err
	}
	// The frontend remembers for about a second that there was none, whoever asked for it.
	return poll(ctx, func() (bool, error) {
		_, err := cluster.WorkflowService().CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace})
		var unknown *serviceerror.NamespaceNotFound
		if err == nil {
			return true, nil
		}
		return !isTransient(err) && !errors.As(err, &unknown), fmt.Errorf("wait for namespace %q: %w", namespace, err)
	})
}

// isMissing says whether the cluster, once it answers, has no such namespace.
func isMissing(ctx context.Context, cluster Services, namespace string) (missing bool, err error) {
	err = poll(ctx, func() (bool, error) {
		_, err := cluster.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
		var unknown *serviceerror.NamespaceNotFound
		if missing = errors.As(err, &unknown); missing || err == nil {
			return true, nil
		}
		return !isTransient(err), fmt.Errorf("describe namespace %q: %w", namespace, err)
	})
	return missing, err
}

// EnsureSearchAttributes adds the custom search attributes that the namespace lacks, and returns when workflows can be
// started with them and found by them: the cluster takes up to some seconds to hear of new ones. When all exist it is one
// call. An attribute that exists with another type is an error, and so is one that may not be added over this connection
// (Temporal Cloud: they are added in its console); the error names them.
func EnsureSearchAttributes(ctx context.Context, cluster Services, namespace string, attributes map[string]enumspb.IndexedValueType) error {
	missing, err := missingAttributes(ctx, cluster, namespace, attributes)
	if err != nil || len(missing) == 0 {
		return err
	}
	names := slices.Sorted(maps.Keys(missing))
	_, err = cluster.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace:        namespace,
		SearchAttributes: missing,
	})
	var exists *serviceerror.AlreadyExists // another node was faster
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("add search attributes %s to namespace %q: %w", strings.Join(names, ", "), namespace, err)
	}
	// A query is refused until the frontend knows every name in it; a start is refused just as long.
	conditions := make([]string, len(names))
	for i, name := range names {
		conditions[i] = name + " IS NOT NULL"
	}
	request := &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: strings.Join(conditions, " AND ")}
	return poll(ctx, func() (bool, error) {
		_, err := cluster.WorkflowService().CountWorkflowExecutions(ctx, request)
		var invalid *serviceerror.InvalidArgument
		if err == nil {
			return true, nil
		}
		return !isTransient(err) && !errors.As(err, &invalid), fmt.Errorf("wait for search attributes: %w", err)
	})
}

// missingAttributes are those of attributes that the namespace does not have.
func missingAttributes(
	ctx context.Context, cluster Services, namespace string, attributes map[string]enumspb.IndexedValueType,
) (map[string]enumspb.IndexedValueType, error) {
	var listed *operatorservice.ListSearchAttributesResponse
	err := poll(ctx, func() (bool, error) {
		var err error
		listed, err = cluster.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
		var unknown *serviceerror.NamespaceNotFound // to one of several frontends, whose memory it is
		if err != nil {
			return !isTransient(err) && !errors.As(err, &unknown), fmt.Errorf("list search attributes of namespace %q: %w", namespace, err)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	missing := maps.Clone(attributes)
	for name, want := range attributes {
		got, known := listed.GetCustomAttributes()[name]
		if !known {
			continue
		}
		if got != want {
			return nil, fmt.Errorf("search attribute %s of namespace %q is of type %s, not %s", name, namespace, got, want)
		}
		delete(missing, name)
	}
	return missing, nil
}

// poll calls look until it is done, or ctx ends; then the error holds both reasons.
func poll(ctx context.Context, look func() (done bool, err error)) error {
	ticker := time.NewTicker(bootstrapPause)
	defer ticker.Stop()
	for {
		done, err := look()
		if done {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %w)", ctx.Err(), err)
		case <-ticker.C:
		}
	}
}

// isTransient says whether a call may succeed when it is made again.
func isTransient(err error) bool {
	var (
		unavailable *serviceerror.Unavailable
		exhausted   *serviceerror.ResourceExhausted
		deadline    *serviceerror.DeadlineExceeded
	)
	return errors.As(err, &unavailable) || errors.As(err, &exhausted) || errors.As(err, &deadline)
}
