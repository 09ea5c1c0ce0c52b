package api

import (
	"context"
	"strconv"
	"strings"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// etag is the strong entity tag of a version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// noVersion is a version that no key is ever at.
const noVersion = -1

// parsePrecondition reads If-Match and If-None-Match of a write. A tag that is none of ours matches no version, as RFC 9110 has it.
func parsePrecondition(ifMatch, ifNoneMatch *string) (picloud.Precondition, error) {
	var pre picloud.Precondition
	if ifNoneMatch != nil {
		if strings.TrimSpace(*ifNoneMatch) != "*" {
			return pre, picloud.InvalidField("If-None-Match", "only * is supported on a write")
		}
		pre.IfAbsent = true
	}
	if ifMatch == nil {
		return pre, nil
	}
	if pre.IfAbsent {
		return pre, picloud.InvalidField("If-Match", "cannot hold together with If-None-Match: *")
	}
	tag := strings.TrimSpace(*ifMatch)
	inner, opened := strings.CutPrefix(tag, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	if opened != closed || strings.ContainsAny(inner, `", *`) || inner == "" {
		return pre, picloud.InvalidField("If-Match", `must be one entity tag as ETag gave it, e.g. "42"`)
	}
	version, err := strconv.ParseInt(inner, 10, 64)
	if err != nil || version < 1 {
		version = noVersion
	}
	pre.IfVersion = &version
	return pre, nil
}

// collection checks the names and finds the app.
func (s *server) collection(ctx context.Context, appSlug, collection, key string) (picloud.App, error) {
	app, err := s.app(ctx, appSlug)
	if err != nil {
		return app, err
	}
	return app, picloud.CheckKVNames(collection, key)
}

// origin is that of a change which the caller asks for.
func origin(ctx context.Context) picloud.Origin {
	return picloud.Origin{Principal: auth.PrincipalFrom(ctx).Name, TraceParent: traceParentFrom(ctx)}
}

// ListKV implements StrictServerInterface.
func (s *server) ListKV(ctx context.Context, request ListKVRequestObject) (ListKVResponseObject, error) {
	p, err := page(request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	prefix := deref(request.Params.Prefix)
	if err := checkText("prefix", prefix, picloud.MaxKeyLength); err != nil {
		return nil, err
	}
	app, err := s.collection(ctx, request.App, request.Collection, "any")
	if err != nil {
		return nil, err
	}
	list, err := s.KV.KVList(ctx, app.ID, request.Collection, prefix, p)
	if err != nil {
		return nil, err
	}
	items := convert(list.Items, func(e picloud.KVEntry) KVEntry {
		return KVEntry{Key: e.Key, Value: e.Value, Version: e.Version, UpdatedAt: e.UpdatedAt.UTC()}
	})
	return ListKV200JSONResponse{Items: items, NextCursor: orNil(list.Next)}, nil
}

// GetKV implements StrictServerInterface.
func (s *server) GetKV(ctx context.Context, request GetKVRequestObject) (GetKVResponseObject, error) {
	app, err := s.collection(ctx, request.App, request.Collection, request.Key)
	if err != nil {
		return nil, err
	}
	e, err := s.KV.KVGet(ctx, app.ID, request.Collection, request.Key)
	if err != nil {
		return nil, err
	}
	if e.Version == 0 {
		return nil, missing("key", request.Key)
	}
	tag := etag(e.Version)
	for known := range strings.SplitSeq(deref(request.Params.IfNoneMatch), ",") {
		if known = strings.TrimSpace(known); known == "*" || strings.TrimPrefix(known, "W/") == tag {
			return GetKV304Response{Headers: GetKV304ResponseHeaders{ETag: tag}}, nil
		}
	}
	return GetKV200JSONResponse{Body: e.Value, Headers: GetKV200ResponseHeaders{ETag: tag}}, nil
}

// PutKV implements StrictServerInterface.
func (s *server) PutKV(ctx context.Context, request PutKVRequestObject) (PutKVResponseObject, error) {
	app, err := s.collection(ctx, request.App, request.Collection, request.Key)
	if err != nil {
		return nil, err
	}
	pre, err := parsePrecondition(request.Params.IfMatch, request.Params.IfNoneMatch)
	if err != nil {
		return nil, err
	}
	e, executions, err := s.KV.KVPut(ctx, app, request.Collection, request.Key, *request.Body, pre, origin(ctx))
	if err != nil {
		return nil, err
	}
	return PutKV200JSONResponse{
		Body: KVWritten{
			Collection: e.Collection, Key: e.Key, Version: e.Version, UpdatedAt: e.UpdatedAt.UTC(), Executions: append([]string{}, executions...),
		},
		Headers: PutKV200ResponseHeaders{ETag: etag(e.Version)},
	}, nil
}

// DeleteKV implements StrictServerInterface.
func (s *server) DeleteKV(ctx context.Context, request DeleteKVRequestObject) (DeleteKVResponseObject, error) {
	app, err := s.collection(ctx, request.App, request.Collection, request.Key)
	if err != nil {
		return nil, err
	}
	pre, err := parsePrecondition(request.Params.IfMatch, nil)
	if err != nil {
		return nil, err
	}
	executions, err := s.KV.KVDelete(ctx, app, request.Collection, request.Key, pre, origin(ctx))
	if err != nil {
		return nil, err
	}
	return DeleteKV200JSONResponse{Executions: append([]string{}, executions...)}, nil
}
