package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// identities is the part of memory about who may do what.
type identities struct {
	principals map[string]picloud.Principal // by name
	roles      map[string]picloud.Role      // by app and principal: "shop ann"
	keys       []storedKey
	audited    []picloud.AuditEntry
	hashes     map[string]string // by name
	sessions   []picloud.Credential
}

type storedKey struct {
	key    picloud.APIKey
	digest []byte
}

func (m *memory) addPrincipal(p picloud.Principal) picloud.Principal {
	if m.principals == nil {
		m.principals, m.roles = map[string]picloud.Principal{}, map[string]picloud.Role{}
	}
	p.ID, p.CreatedAt = testID(700+len(m.principals)), day
	m.principals[p.Name] = p
	return p
}

// addKey gives a principal a key of any form, as the bootstrap key may have.
func (m *memory) addKey(principal, key, app string, expires time.Time, scopes ...picloud.Scope) picloud.APIKey {
	k := picloud.APIKey{ID: testID(800 + len(m.keys)), Principal: principal, Prefix: auth.KeyPart(key), App: app, Scopes: scopes, CreatedAt: day, ExpiresAt: expires, LastUsedAt: time.Now()}
	m.keys = append(m.keys, storedKey{k, auth.Digest(key)})
	return k
}

func (m *memory) CreatePrincipal(_ context.Context, p picloud.Principal, hash string) (picloud.Principal, error) {
	if _, taken := m.principals[p.Name]; taken {
		return p, picloud.Errorf(picloud.Conflict, "principal_exists", "taken")
	}
	defer m.write()()
	p.HasPassword = hash != ""
	return m.addPrincipal(p), nil
}

func (m *memory) Principal(_ context.Context, id string) (picloud.Principal, error) {
	defer m.read()()
	for _, p := range m.principals {
		if p.ID == id || p.Name == id {
			return p, nil
		}
	}
	return picloud.Principal{}, picloud.NotFoundError("principal", id)
}

func (m *memory) ListPrincipals(_ context.Context, page picloud.Page) (picloud.List[picloud.Principal], error) {
	return pageOf(sortedValues(m.principals), page, func(p picloud.Principal) string { return p.Name }, greater), nil
}

func (m *memory) UpdatePrincipal(ctx context.Context, id string, patch picloud.PrincipalPatch) (picloud.Principal, []string, error) {
	p, err := m.Principal(ctx, id)
	if err != nil {
		return p, nil, err
	}
	if p.Name == picloud.AdminPrincipal && patch.Disabled != nil {
		return p, nil, picloud.Errorf(picloud.Conflict, "last_admin", "it is")
	}
	defer m.write()()
	if patch.Email != nil {
		p.Email = *patch.Email
	}
	if patch.InstanceAdmin != nil {
		p.InstanceAdmin = *patch.InstanceAdmin
	}
	if patch.Disabled != nil {
		p.Disabled = *patch.Disabled
	}
	if patch.PasswordHash != nil {
		p.HasPassword = *patch.PasswordHash != ""
	}
	m.principals[p.Name] = p
	return p, []string{testID(3)}, nil
}

func (m *memory) DeletePrincipal(ctx context.Context, id string) ([]string, error) {
	p, err := m.Principal(ctx, id)
	if err != nil {
		return nil, err
	}
	if p.Name == picloud.AdminPrincipal {
		return nil, picloud.Errorf(picloud.Conflict, "last_admin", "it is")
	}
	defer m.write()()
	delete(m.principals, p.Name)
	return []string{testID(3)}, nil
}

func (m *memory) Memberships(_ context.Context, id string) ([]picloud.Membership, error) {
	defer m.read()()
	return m.membershipsOf(id), nil
}

func (m *memory) membershipsOf(id string) []picloud.Membership {
	var out []picloud.Membership
	for _, app := range sortedValues(m.app) {
		for _, p := range m.principals {
			if role, ok := m.roles[app.Slug+" "+p.Name]; ok && p.ID == id {
				out = append(out, picloud.Membership{App: app.Slug, Role: role})
			}
		}
	}
	return out
}

func (m *memory) PutMember(ctx context.Context, app picloud.App, id string, role picloud.Role) (picloud.Member, error) {
	p, err := m.Principal(ctx, id)
	if err != nil {
		return picloud.Member{}, err
	}
	defer m.write()()
	m.roles[app.Slug+" "+p.Name] = role
	return picloud.Member{Principal: p.Name, Kind: p.Kind, Role: role, CreatedAt: day}, nil
}

func (m *memory) DeleteMember(ctx context.Context, app picloud.App, id string) error {
	p, err := m.Principal(ctx, id)
	if err != nil {
		return err
	}
	if _, ok := m.roles[app.Slug+" "+p.Name]; !ok {
		return picloud.NotFoundError("member", id)
	}
	defer m.write()()
	delete(m.roles, app.Slug+" "+p.Name)
	return nil
}

func (m *memory) ListMembers(_ context.Context, app picloud.App, page picloud.Page) (picloud.List[picloud.Member], error) {
	var items []picloud.Member
	for _, p := range sortedValues(m.principals) {
		if role, ok := m.roles[app.Slug+" "+p.Name]; ok {
			items = append(items, picloud.Member{Principal: p.Name, Kind: p.Kind, Role: role, CreatedAt: day})
		}
	}
	return pageOf(items, page, func(m picloud.Member) string { return m.Principal }, greater), nil
}

func (m *memory) CreateAPIKey(ctx context.Context, k picloud.NewAPIKey) (picloud.APIKey, error) {
	p, err := m.Principal(ctx, k.Principal)
	if err != nil {
		return picloud.APIKey{}, err
	}
	if _, ok := m.app[k.App]; k.App != "" && !ok {
		return picloud.APIKey{}, picloud.InvalidField("app", "there is none")
	}
	defer m.write()()
	key := picloud.APIKey{ID: testID(800 + len(m.keys)), Principal: p.Name, Prefix: k.Prefix, App: k.App, Scopes: k.Scopes, CreatedAt: day, ExpiresAt: k.ExpiresAt}
	m.keys = append(m.keys, storedKey{key, k.Digest})
	return key, nil
}

func (m *memory) APIKey(_ context.Context, id string) (picloud.APIKey, error) {
	defer m.read()()
	for _, k := range m.keys {
		if k.key.ID == id {
			return k.key, nil
		}
	}
	return picloud.APIKey{}, picloud.NotFoundError("api_key", id)
}

func (m *memory) ListAPIKeys(_ context.Context, principal string, page picloud.Page) (picloud.List[picloud.APIKey], error) {
	var items []picloud.APIKey
	for _, k := range m.keys {
		if p := m.principals[k.key.Principal]; principal == "" || p.ID == principal {
			items = append(items, k.key)
		}
	}
	return pageOf(items, page, func(k picloud.APIKey) string { return k.ID }, greater), nil
}

func (m *memory) DeleteAPIKey(_ context.Context, id string) error {
	defer m.write()()
	m.keys = slices.DeleteFunc(m.keys, func(k storedKey) bool { return k.key.ID == id })
	return nil
}

func (m *memory) PutBootstrapKey(context.Context, []byte) error { return nil }

func (m *memory) KeyCredentials(_ context.Context, prefix string) ([]picloud.Credential, error) {
	defer m.read()()
	var out []picloud.Credential
	for _, k := range m.keys {
		if p, ok := m.principals[k.key.Principal]; ok && k.key.Prefix == prefix {
			out = append(out, picloud.Credential{Digest: k.digest, Principal: p, Key: &k.key, Memberships: m.membershipsOf(p.ID), ExpiresAt: k.key.ExpiresAt})
		}
	}
	return out, nil
}

func (m *memory) TouchAPIKey(context.Context, string) error { return nil }

func (m *memory) AppendAudit(_ context.Context, e picloud.AuditEntry) error {
	defer m.read()() // an entry is no change of what is audited
	e.ID, e.At = testID(600+len(m.audited)), day
	m.audited = append(m.audited, e)
	return nil
}

func (m *memory) ListAudit(_ context.Context, f picloud.AuditFilter, page picloud.Page) (picloud.List[picloud.AuditEntry], error) {
	items := slices.DeleteFunc(slices.Clone(m.audited), func(e picloud.AuditEntry) bool {
		return (f.App != "" && e.App != f.App) || (f.Outcome != "" && e.Outcome != f.Outcome) || (f.Action != "" && e.Action != f.Action)
	})
	slices.Reverse(items)
	return pageOf(items, page, func(e picloud.AuditEntry) string { return e.ID }, less), nil
}

// member gives a new principal with that role in the app "shop" ("" = none) a key with all scopes of it.
func (m *memory) member(role picloud.Role) (key string) {
	name := fmt.Sprintf("a-%s", role)
	if role == "" {
		name = "stranger"
	}
	name = slug(name)
	m.addPrincipal(picloud.Principal{Kind: picloud.Person, Name: name})
	if role != "" {
		m.roles["shop "+name] = role
	}
	key = "pck_key_of_" + name
	m.addKey(name, key, "", time.Time{}, picloud.AllScopes...)
	return key
}

// slug gives a name in the form of names.
func slug(s string) string {
	out := []byte(s)
	for i, c := range out {
		if c == '_' || c == ':' {
			out[i] = '-'
		}
	}
	return string(out)
}

func (m *memory) PasswordHash(ctx context.Context, name string) (picloud.Principal, string, error) {
	p, err := m.Principal(ctx, name)
	return p, m.hashes[name], err
}

func (m *memory) PersonByEmail(_ context.Context, email string) (picloud.Principal, error) {
	defer m.read()()
	for _, p := range m.principals {
		if p.Email == email && p.Kind == picloud.Person {
			return p, nil
		}
	}
	return picloud.Principal{}, picloud.NotFoundError("principal", email)
}

func (m *memory) CreateSession(_ context.Context, id, keyID string, digest []byte, expires time.Time) error {
	defer m.write()()
	var key *picloud.APIKey
	for _, c := range m.keys {
		if c.key.ID == keyID {
			key = &c.key
		}
	}
	for _, p := range m.principals {
		if p.ID == id {
			m.sessions = append(m.sessions, picloud.Credential{Digest: digest, Principal: p, Key: key, ExpiresAt: expires, Memberships: m.membershipsOf(id)})
		}
	}
	return nil
}

func (m *memory) DeleteSession(_ context.Context, digest []byte) error {
	defer m.write()()
	m.sessions = slices.DeleteFunc(m.sessions, func(c picloud.Credential) bool { return slices.Equal(c.Digest, digest) })
	return nil
}

func (m *memory) SessionCredentials(_ context.Context, digest []byte) ([]picloud.Credential, error) {
	defer m.read()()
	return slices.DeleteFunc(slices.Clone(m.sessions), func(c picloud.Credential) bool { return !slices.Equal(c.Digest, digest) }), nil
}
