package picloud

import "fmt"

// Grant is what an execution may do: the rights that its principal has in its app at the time of the run. A nil Grant allows everything: nobody has asked.
type Grant struct {
	Principal string
	App       string // slug
	Scopes    Scopes
}

// Check gives the failure of an execution whose principal may not do what capability guards; nil if it may.
func (g *Grant) Check(capability Capability) *ScriptError {
	if g == nil || g.Scopes.Allows(capability) {
		return nil
	}
	return &ScriptError{
		Reason: ReasonPermissionDenied, Type: "PermissionDenied", NonRetryable: true,
		Message: fmt.Sprintf("principal %q may not %s in the app %q: it has not the scope %s there", g.Principal, capability, g.App, capability.Scope()),
	}
}
