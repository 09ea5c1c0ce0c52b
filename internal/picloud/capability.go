package picloud

import "slices"

// Scope is what a role or an API key grants. There are these seven and no others.
type Scope string

// The scopes. ScopeInstanceAdmin stands for all of them, in every app.
const (
	ScopeInstanceAdmin Scope = "instance:admin"
	ScopeAppAdmin      Scope = "app:admin"
	ScopeScriptRead    Scope = "script:read"
	ScopeScriptWrite   Scope = "script:write"
	ScopeScriptInvoke  Scope = "script:invoke"
	ScopeDataRead      Scope = "data:read"
	ScopeDataWrite     Scope = "data:write"
)

// AllScopes are the seven.
var AllScopes = Scopes{ScopeInstanceAdmin, ScopeAppAdmin, ScopeScriptRead, ScopeScriptWrite, ScopeScriptInvoke, ScopeDataRead, ScopeDataWrite}

// Capability is one thing that somebody may or may not do.
type Capability string

// The capabilities. SignedIn is every known caller's: what it guards answers with the caller's own things.
const (
	SignedIn            Capability = "SignedIn"
	InstanceAdmin       Capability = "InstanceAdmin"
	AppManage           Capability = "AppManage"
	AppManageMembers    Capability = "AppManageMembers"
	AppManageTriggers   Capability = "AppManageTriggers"
	AppDeadLetterManage Capability = "AppDeadLetterManage"
	AppManageSecrets    Capability = "AppManageSecrets"
	ScriptRead          Capability = "ScriptRead"
	ScriptWrite         Capability = "ScriptWrite"
	ScriptInvoke        Capability = "ScriptInvoke"
	DataRead            Capability = "DataRead"
	DataWrite           Capability = "DataWrite"
)

// CapabilityRule is the scope that a capability needs; "" = none.
type CapabilityRule struct {
	Capability Capability
	Scope      Scope
}

// Capabilities is the whole table.
var Capabilities = []CapabilityRule{
	{SignedIn, ""},
	{InstanceAdmin, ScopeInstanceAdmin},
	{AppManage, ScopeAppAdmin},
	{AppManageMembers, ScopeAppAdmin},
	{AppManageTriggers, ScopeAppAdmin},
	{AppDeadLetterManage, ScopeAppAdmin},
	{AppManageSecrets, ScopeAppAdmin},
	{ScriptRead, ScopeScriptRead},
	{ScriptWrite, ScopeScriptWrite},
	{ScriptInvoke, ScopeScriptInvoke},
	{DataRead, ScopeDataRead},
	{DataWrite, ScopeDataWrite},
}

// Known says whether c is in the table.
func (c Capability) Known() bool {
	return slices.ContainsFunc(Capabilities, func(r CapabilityRule) bool { return r.Capability == c })
}

// Scope gives the scope that c needs; ScopeInstanceAdmin for what is in no table.
func (c Capability) Scope() Scope {
	for _, r := range Capabilities {
		if r.Capability == c {
			return r.Scope
		}
	}
	return ScopeInstanceAdmin
}

// Role is what a member may do in one app.
type Role string

// The roles.
const (
	RoleViewer    Role = "viewer"
	RoleDeveloper Role = "developer"
	RoleAppAdmin  Role = "app_admin"
)

// Roles are all of them, the weakest first.
var Roles = []Role{RoleViewer, RoleDeveloper, RoleAppAdmin}

var roleScopes = map[Role]Scopes{
	RoleViewer:    {ScopeScriptRead, ScopeDataRead},
	RoleDeveloper: {ScopeScriptRead, ScopeScriptWrite, ScopeScriptInvoke, ScopeDataRead, ScopeDataWrite},
	RoleAppAdmin:  {ScopeAppAdmin, ScopeScriptRead, ScopeScriptWrite, ScopeScriptInvoke, ScopeDataRead, ScopeDataWrite},
}

// Scopes gives what the role grants in its app; none for what is no role.
func (r Role) Scopes() Scopes { return roleScopes[r] }

// CheckRole says whether r is a role.
func CheckRole(r Role) error {
	if !slices.Contains(Roles, r) {
		return InvalidField("role", "must be viewer, developer or app_admin")
	}
	return nil
}

// Scopes is a set of scopes, in no order.
type Scopes []Scope

// Has says whether the set grants x; ScopeInstanceAdmin grants all.
func (s Scopes) Has(x Scope) bool {
	return slices.Contains(s, x) || slices.Contains(s, ScopeInstanceAdmin)
}

// Allows says whether the set grants what c needs.
func (s Scopes) Allows(c Capability) bool { return c == SignedIn || s.Has(c.Scope()) }

// And gives what both sets grant, in the order of AllScopes.
func (s Scopes) And(other Scopes) Scopes {
	return slices.DeleteFunc(slices.Clone(AllScopes), func(x Scope) bool { return !s.Has(x) || !other.Has(x) })
}

// Covers says whether the set grants all that other grants.
func (s Scopes) Covers(other Scopes) bool {
	return !slices.ContainsFunc(other, func(x Scope) bool { return !s.Has(x) })
}

// CheckScopes says whether the list is one of scopes, each once, and not empty.
func CheckScopes(list Scopes) error {
	if len(list) == 0 {
		return InvalidField("scopes", "is empty: name at least one scope")
	}
	for i, x := range list {
		if !slices.Contains(AllScopes, x) {
			return InvalidField("scopes", "%q is no scope: there are instance:admin, app:admin, script:read, script:write, script:invoke, data:read and data:write", string(x[:min(len(x), 50)]))
		}
		if slices.Contains(list[:i], x) {
			return InvalidField("scopes", "%q is there twice", string(x))
		}
	}
	return nil
}
