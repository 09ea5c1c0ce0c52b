package api

import (
	"context"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// ListPrincipals implements StrictServerInterface.
func (s *server) ListPrincipals(ctx context.Context, request ListPrincipalsRequestObject) (ListPrincipalsResponseObject, error) {
	p, err := namePage(request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Principals.ListPrincipals(ctx, p)
	if err != nil {
		return nil, err
	}
	return ListPrincipals200JSONResponse{Items: convert(list.Items, toPrincipal), NextCursor: orNil(list.Next)}, nil
}

// CreatePrincipal implements StrictServerInterface.
func (s *server) CreatePrincipal(ctx context.Context, request CreatePrincipalRequestObject) (CreatePrincipalResponseObject, error) {
	body := request.Body
	p := picloud.Principal{Kind: picloud.PrincipalKind(body.Kind), Name: body.Name, InstanceAdmin: deref(body.InstanceAdmin)}
	if p.Kind != picloud.Person && p.Kind != picloud.Service {
		return nil, picloud.InvalidField("kind", "must be person or service")
	}
	if err := picloud.CheckName("name", p.Name); err != nil {
		return nil, err
	}
	var err error
	if p.Email, err = picloud.CheckEmail(deref(body.Email)); err != nil {
		return nil, err
	}
	hash := ""
	if body.Password != nil {
		if hash, err = passwordHash(ctx, p.Kind, *body.Password); err != nil {
			return nil, err
		}
	}
	if p, err = s.Principals.CreatePrincipal(ctx, p, hash); err != nil {
		return nil, err
	}
	return CreatePrincipal201JSONResponse{Body: toPrincipal(p), Headers: CreatePrincipal201ResponseHeaders{Location: "/v1/principals/" + p.ID}}, nil
}

// passwordHash hashes the password that a principal of that kind is given.
func passwordHash(ctx context.Context, kind picloud.PrincipalKind, password string) (string, error) {
	if kind != picloud.Person {
		return "", picloud.InvalidField("password", "is for persons: a service has API keys")
	}
	return auth.HashPassword(ctx, password)
}

// principal finds a principal by id or name.
func (s *server) principal(ctx context.Context, id string) (picloud.Principal, error) {
	if !isID(id) && picloud.CheckName("principal", id) != nil {
		return picloud.Principal{}, missing("principal", id)
	}
	return s.Principals.Principal(ctx, id)
}

// GetPrincipal implements StrictServerInterface.
func (s *server) GetPrincipal(ctx context.Context, request GetPrincipalRequestObject) (GetPrincipalResponseObject, error) {
	p, err := s.principal(ctx, request.Principal)
	if err != nil {
		return nil, err
	}
	memberships, err := s.Principals.Memberships(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	apps := convert(memberships, func(m picloud.Membership) Membership { return Membership{App: m.App, Role: string(m.Role)} })
	return GetPrincipal200JSONResponse{
		ID: p.ID, Kind: string(p.Kind), Name: p.Name, Email: orNil(p.Email), InstanceAdmin: p.InstanceAdmin, Disabled: p.Disabled,
		HasPassword: p.HasPassword, CreatedAt: p.CreatedAt.UTC(), Apps: apps,
	}, nil
}

// PatchPrincipal implements StrictServerInterface.
func (s *server) PatchPrincipal(ctx context.Context, request PatchPrincipalRequestObject) (PatchPrincipalResponseObject, error) {
	p, err := s.principal(ctx, request.Principal)
	if err != nil {
		return nil, err
	}
	body := request.Body
	patch := picloud.PrincipalPatch{InstanceAdmin: body.InstanceAdmin, Disabled: body.Disabled}
	if body.Email != nil {
		email, err := picloud.CheckEmail(*body.Email)
		if err != nil {
			return nil, err
		}
		patch.Email = &email
	}
	if body.Password != nil {
		hash := ""
		if *body.Password != "" {
			if hash, err = passwordHash(ctx, p.Kind, *body.Password); err != nil {
				return nil, err
			}
		}
		patch.PasswordHash = &hash
	}
	p, stopped, err := s.Principals.UpdatePrincipal(ctx, p.ID, patch)
	if err != nil {
		return nil, err
	}
	s.rightsChanged(ctx, stopped)
	return PatchPrincipal200JSONResponse(toPrincipal(p)), nil
}

// DeletePrincipal implements StrictServerInterface.
func (s *server) DeletePrincipal(ctx context.Context, request DeletePrincipalRequestObject) (DeletePrincipalResponseObject, error) {
	p, err := s.principal(ctx, request.Principal)
	if err != nil {
		return nil, err
	}
	stopped, err := s.Principals.DeletePrincipal(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	s.rightsChanged(ctx, stopped)
	return DeletePrincipal204Response{}, nil
}

// rightsChanged makes a change of rights hold at once in this process; stopped are the ids of cron triggers that it has disabled.
func (s *server) rightsChanged(ctx context.Context, stopped []string) {
	s.auth.Forget()
	for _, id := range stopped {
		s.syncSchedule(ctx, picloud.Trigger{ID: id})
	}
}

// ListMembers implements StrictServerInterface.
func (s *server) ListMembers(ctx context.Context, request ListMembersRequestObject) (ListMembersResponseObject, error) {
	p, err := namePage(request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	list, err := s.Principals.ListMembers(ctx, app, p)
	if err != nil {
		return nil, err
	}
	return ListMembers200JSONResponse{Items: convert(list.Items, toMember), NextCursor: orNil(list.Next)}, nil
}

// PutMember implements StrictServerInterface.
func (s *server) PutMember(ctx context.Context, request PutMemberRequestObject) (PutMemberResponseObject, error) {
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	role := picloud.Role(request.Body.Role)
	if err := picloud.CheckRole(role); err != nil {
		return nil, err
	}
	p, err := s.principal(ctx, request.Principal)
	if err != nil {
		return nil, err
	}
	m, err := s.Principals.PutMember(ctx, app, p.ID, role)
	if err != nil {
		return nil, err
	}
	s.rightsChanged(ctx, nil)
	return PutMember200JSONResponse(toMember(m)), nil
}

// DeleteMember implements StrictServerInterface.
func (s *server) DeleteMember(ctx context.Context, request DeleteMemberRequestObject) (DeleteMemberResponseObject, error) {
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	p, err := s.principal(ctx, request.Principal)
	if err != nil {
		return nil, err
	}
	if err := s.Principals.DeleteMember(ctx, app, p.ID); err != nil {
		return nil, err
	}
	s.rightsChanged(ctx, nil)
	return DeleteMember204Response{}, nil
}

func toPrincipal(p picloud.Principal) Principal {
	return Principal{
		ID: p.ID, Kind: string(p.Kind), Name: p.Name, Email: orNil(p.Email), InstanceAdmin: p.InstanceAdmin, Disabled: p.Disabled,
		HasPassword: p.HasPassword, CreatedAt: p.CreatedAt.UTC(),
	}
}

func toMember(m picloud.Member) Member {
	return Member{Principal: m.Principal, Kind: string(m.Kind), Role: string(m.Role), CreatedAt: m.CreatedAt.UTC()}
}
