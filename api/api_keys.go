package api

import (
	"context"
	"time"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// GetMe implements StrictServerInterface.
func (s *server) GetMe(ctx context.Context, _ GetMeRequestObject) (GetMeResponseObject, error) {
	caller, _ := auth.CallerFrom(ctx)
	p, err := s.Principals.Principal(ctx, caller.Principal.ID)
	if err != nil {
		return nil, err
	}
	memberships, err := s.Principals.Memberships(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	me := Me{Principal: toPrincipal(p), Scopes: toScopes(caller.Scopes("")), Apps: []MyApp{}}
	if caller.Key != nil {
		key := toAPIKey(*caller.Key)
		me.Key = &key
	}
	for _, m := range memberships {
		if caller.Sees(m.App) {
			me.Apps = append(me.Apps, MyApp{App: m.App, Role: string(m.Role), Scopes: toScopes(caller.Scopes(m.App))})
		}
	}
	return GetMe200JSONResponse(me), nil
}

// allPrincipals asks for the keys of everybody.
const allPrincipals = "*"

// ListAPIKeys implements StrictServerInterface.
func (s *server) ListAPIKeys(ctx context.Context, request ListAPIKeysRequestObject) (ListAPIKeysResponseObject, error) {
	p, err := idPage(request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	caller, _ := auth.CallerFrom(ctx)
	of := caller.Principal.ID
	if asked := deref(request.Params.Principal); asked != "" {
		if of, err = s.principalOf(ctx, asked); err != nil {
			return nil, err
		}
	}
	list, err := s.APIKeys.ListAPIKeys(ctx, of, p)
	if err != nil {
		return nil, err
	}
	return ListAPIKeys200JSONResponse{Items: convert(list.Items, toAPIKey), NextCursor: orNil(list.Next)}, nil
}

// principalOf gives the id of a principal that the caller names: itself, or as an instance admin anybody; "" for all.
func (s *server) principalOf(ctx context.Context, name string) (string, error) {
	caller, _ := auth.CallerFrom(ctx)
	if name == caller.Principal.Name || name == caller.Principal.ID {
		return caller.Principal.ID, nil
	}
	if err := caller.Authorize(picloud.InstanceAdmin, ""); err != nil {
		return "", err
	}
	if name == allPrincipals {
		return "", nil
	}
	p, err := s.principal(ctx, name)
	return p.ID, err
}

// CreateAPIKey implements StrictServerInterface.
func (s *server) CreateAPIKey(ctx context.Context, request CreateAPIKeyRequestObject) (CreateAPIKeyResponseObject, error) {
	body := request.Body
	k := picloud.NewAPIKey{App: deref(body.App), Scopes: make(picloud.Scopes, len(body.Scopes))}
	for i, x := range body.Scopes {
		k.Scopes[i] = picloud.Scope(x)
	}
	if err := picloud.CheckScopes(k.Scopes); err != nil {
		return nil, err
	}
	if k.App != "" {
		if err := picloud.CheckName("app", k.App); err != nil {
			return nil, err
		}
	}
	var err error
	if k.ExpiresAt, err = parseInstant("expires_at", deref(body.ExpiresAt)); err != nil {
		return nil, err
	}
	if body.ExpiresAt != nil && !k.ExpiresAt.After(time.Now()) {
		return nil, picloud.InvalidField("expires_at", "must be in the future")
	}
	k.ExpiresAt = k.ExpiresAt.UTC().Truncate(time.Microsecond) // as the database keeps it
	if k.Principal, err = s.keyOwner(ctx, k, deref(body.Principal)); err != nil {
		return nil, err
	}
	var key string
	key, k.Prefix, k.Digest = auth.NewKey()
	made, err := s.APIKeys.CreateAPIKey(ctx, k)
	if err != nil {
		return nil, err
	}
	shown := toAPIKey(made)
	return CreateAPIKey201JSONResponse{
		Body: APIKeyMade{
			ID: shown.ID, Principal: shown.Principal, Prefix: shown.Prefix, App: shown.App, Scopes: shown.Scopes, CreatedAt: shown.CreatedAt,
			ExpiresAt: shown.ExpiresAt, LastUsedAt: shown.LastUsedAt, Key: key,
		},
		Headers: CreateAPIKey201ResponseHeaders{Location: "/v1/api-keys/" + shown.ID},
	}, nil
}

// keyOwner gives the id of the principal whose key k is to be. Forbidden where the calling key would make one that goes further than itself.
func (s *server) keyOwner(ctx context.Context, k picloud.NewAPIKey, named string) (string, error) {
	caller, _ := auth.CallerFrom(ctx)
	if mine := caller.Key; mine != nil {
		outlives := !mine.ExpiresAt.IsZero() && (k.ExpiresAt.IsZero() || k.ExpiresAt.After(mine.ExpiresAt))
		if !mine.Scopes.Covers(k.Scopes) || (mine.App != "" && mine.App != k.App) || outlives {
			return "", picloud.Errorf(picloud.Forbidden, "forbidden", "a key cannot make one that goes further than itself: this one has %v, app %q, expiry %s", mine.Scopes, mine.App, expiry(mine.ExpiresAt))
		}
	}
	owner, err := s.Principals.Principal(ctx, caller.Principal.ID)
	if named != "" && err == nil {
		var id string
		if id, err = s.principalOf(ctx, named); err == nil {
			owner, err = s.principal(ctx, id)
		}
	}
	if err != nil {
		return "", err
	}
	if k.App != "" && !caller.Sees(k.App) { // as one that is not there
		return "", picloud.InvalidField("app", "there is no app %q", k.App)
	}
	for _, x := range k.Scopes {
		if x == picloud.ScopeInstanceAdmin && (!owner.InstanceAdmin || k.App != "") {
			return "", picloud.InvalidField("scopes", "instance:admin is for keys of instance admins that are good for all apps")
		}
	}
	return owner.ID, nil
}

func expiry(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

// DeleteAPIKey implements StrictServerInterface.
func (s *server) DeleteAPIKey(ctx context.Context, request DeleteAPIKeyRequestObject) (DeleteAPIKeyResponseObject, error) {
	if !isID(request.APIKey) {
		return nil, missing("api_key", request.APIKey)
	}
	key, err := s.APIKeys.APIKey(ctx, request.APIKey)
	if err != nil {
		return nil, err
	}
	caller, _ := auth.CallerFrom(ctx)
	if key.Principal != caller.Principal.Name {
		if caller.Authorize(picloud.InstanceAdmin, "") != nil {
			return nil, missing("api_key", request.APIKey) // as one that is not there
		}
	} else if mine := caller.Key; mine != nil && mine.ID != key.ID && (!mine.Scopes.Covers(key.Scopes) || (mine.App != "" && mine.App != key.App)) {
		return nil, picloud.Errorf(picloud.Forbidden, "forbidden", "a key cannot revoke one that goes further than itself")
	}
	if err := s.APIKeys.DeleteAPIKey(ctx, key.ID); err != nil {
		return nil, err
	}
	s.auth.Forget()
	return DeleteAPIKey204Response{}, nil
}

func toAPIKey(k picloud.APIKey) APIKey {
	return APIKey{
		ID: k.ID, Principal: k.Principal, Prefix: k.Prefix, App: orNil(k.App), Scopes: toScopes(k.Scopes), CreatedAt: k.CreatedAt.UTC(),
		ExpiresAt: instant(k.ExpiresAt), LastUsedAt: instant(k.LastUsedAt),
	}
}

func toScopes(scopes picloud.Scopes) []Scope {
	return convert(scopes, func(x picloud.Scope) Scope { return Scope(x) })
}
