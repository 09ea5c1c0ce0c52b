package picloud

import (
	"context"
	"net/mail"
	"strings"
	"time"
)

// PrincipalKind tells people from programs.
type PrincipalKind string

// The kinds of principals. Only a person can sign in.
const (
	Person  PrincipalKind = "person"
	Service PrincipalKind = "service"
)

// AdminPrincipal is the name of the principal that the bootstrap key belongs to.
const AdminPrincipal = "admin"

// Principal is who does something. Its name stands for it in triggers, executions and the audit log; a name is never given twice, not even after a deletion.
type Principal struct {
	ID            string
	Kind          PrincipalKind
	Name          string
	Email         string // lower case; "" = none. A person signs in by OIDC under it
	InstanceAdmin bool   // may do everything in every app
	Disabled      bool
	HasPassword   bool
	CreatedAt     time.Time
}

// Scopes gives what the principal may do in an app where it has that role ("" = none). An instance admin needs no role.
func (p Principal) Scopes(role Role) Scopes {
	switch {
	case p.Disabled:
		return nil
	case p.InstanceAdmin:
		return Scopes{ScopeInstanceAdmin}
	default:
		return role.Scopes()
	}
}

// MaxPrincipalEmail is the longest e-mail address, in bytes. Source: RFC 5321, section 4.5.3.1.3.
const MaxPrincipalEmail = 254

// CheckEmail gives an address in the form in which it is kept. Invalid "email".
func CheckEmail(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > MaxPrincipalEmail {
		return "", InvalidField("email", "must be one e-mail address, e.g. ann@example.com, of at most %d bytes", MaxPrincipalEmail)
	}
	return strings.ToLower(s), nil
}

// PrincipalPatch changes a principal; nil leaves a field as it is.
type PrincipalPatch struct {
	Email         *string
	InstanceAdmin *bool
	Disabled      *bool
	PasswordHash  *string // "" takes the password away
}

// Member is a principal's role in an app.
type Member struct {
	Principal string // name
	Kind      PrincipalKind
	Role      Role
	CreatedAt time.Time
}

// Membership is what a principal may do in one app.
type Membership struct {
	App  string // slug
	Role Role
}

// Principals keeps the principals and their roles. An id may be given as name too. Every method with one gives NotFound "principal_not_found".
//
// A change that leaves a principal disabled or deleted disables its triggers in the same transaction; stopped are the ids of those of kind cron.
type Principals interface {
	// CreatePrincipal stores p (ID and time are given by the store); passwordHash "" = none. Conflict "principal_exists" if the name or "email_taken" if the address is taken.
	CreatePrincipal(ctx context.Context, p Principal, passwordHash string) (Principal, error)
	Principal(ctx context.Context, id string) (Principal, error)
	ListPrincipals(ctx context.Context, page Page) (List[Principal], error)
	// UpdatePrincipal changes what the patch says. Conflict "last_admin" if no instance admin would be left that is not disabled.
	UpdatePrincipal(ctx context.Context, id string, patch PrincipalPatch) (p Principal, stopped []string, err error)
	// DeletePrincipal ends a principal with its keys, sessions and memberships. Conflict "last_admin".
	DeletePrincipal(ctx context.Context, id string) (stopped []string, err error)
	// Memberships gives the roles of a principal, by app.
	Memberships(ctx context.Context, id string) ([]Membership, error)

	// PutMember gives a principal a role in an app.
	PutMember(ctx context.Context, app App, principal string, role Role) (Member, error)
	// DeleteMember takes it away. NotFound "member_not_found".
	DeleteMember(ctx context.Context, app App, principal string) error
	// ListMembers gives the members of an app by name.
	ListMembers(ctx context.Context, app App, page Page) (List[Member], error)
}
