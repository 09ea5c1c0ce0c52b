package api

import (
	"context"
	"strings"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// maxAppName is the longest name of an app for people, in bytes.
const maxAppName = 200

// app finds an app. What is no name names none.
func (s *server) app(ctx context.Context, slug string) (picloud.App, error) {
	if picloud.CheckName("app", slug) != nil {
		return picloud.App{}, missing("app", slug)
	}
	return s.Apps.App(ctx, slug)
}

// missing is NotFoundError for what may come from outside in any form.
func missing(what, name string) error {
	return picloud.NotFoundError(what, strings.ToValidUTF8(name[:min(len(name), 100)], "\uFFFD"))
}

// ListApps implements StrictServerInterface.
func (s *server) ListApps(ctx context.Context, request ListAppsRequestObject) (ListAppsResponseObject, error) {
	p, err := namePage(request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	caller, _ := auth.CallerFrom(ctx)
	list, err := s.Apps.ListApps(ctx, caller.Apps(), p)
	if err != nil {
		return nil, err
	}
	return ListApps200JSONResponse{Items: convert(list.Items, toApp), NextCursor: orNil(list.Next)}, nil
}

// CreateApp implements StrictServerInterface.
func (s *server) CreateApp(ctx context.Context, request CreateAppRequestObject) (CreateAppResponseObject, error) {
	name := deref(request.Body.Name)
	if err := picloud.CheckName("slug", request.Body.Slug); err != nil {
		return nil, err
	}
	if err := checkText("name", name, maxAppName); err != nil {
		return nil, err
	}
	if name == "" {
		name = request.Body.Slug
	}
	app, err := s.Apps.CreateApp(ctx, request.Body.Slug, name, auth.PrincipalFrom(ctx).Name)
	if err != nil {
		return nil, err
	}
	s.rightsChanged(ctx, nil)
	return CreateApp201JSONResponse{Body: toApp(app), Headers: CreateApp201ResponseHeaders{Location: "/v1/apps/" + app.Slug}}, nil
}

// GetApp implements StrictServerInterface.
func (s *server) GetApp(ctx context.Context, request GetAppRequestObject) (GetAppResponseObject, error) {
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	return GetApp200JSONResponse(toApp(app)), nil
}

// PatchApp implements StrictServerInterface.
func (s *server) PatchApp(ctx context.Context, request PatchAppRequestObject) (PatchAppResponseObject, error) {
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	if entries := request.Body.FetchAllow; entries != nil {
		if err := picloud.CheckFetchAllow(*entries); err != nil {
			return nil, err
		}
		if app, err = s.Apps.SetFetchAllow(ctx, request.App, *entries); err != nil {
			return nil, err
		}
	}
	return PatchApp200JSONResponse(toApp(app)), nil
}

// PauseApp implements StrictServerInterface.
func (s *server) PauseApp(ctx context.Context, request PauseAppRequestObject) (PauseAppResponseObject, error) {
	if _, err := s.app(ctx, request.App); err != nil {
		return nil, err
	}
	app, err := s.Apps.PauseApp(ctx, request.App, auth.PrincipalFrom(ctx).Name)
	return PauseApp200JSONResponse(toApp(app)), err
}

// ResumeApp implements StrictServerInterface.
func (s *server) ResumeApp(ctx context.Context, request ResumeAppRequestObject) (ResumeAppResponseObject, error) {
	if _, err := s.app(ctx, request.App); err != nil {
		return nil, err
	}
	app, err := s.Apps.ResumeApp(ctx, request.App)
	return ResumeApp200JSONResponse(toApp(app)), err
}

// DeleteApp implements StrictServerInterface.
func (s *server) DeleteApp(ctx context.Context, request DeleteAppRequestObject) (DeleteAppResponseObject, error) {
	if _, err := s.app(ctx, request.App); err != nil {
		return nil, err
	}
	if err := s.Apps.DeleteApp(ctx, request.App); err != nil {
		return nil, err
	}
	s.rightsChanged(ctx, nil)
	return DeleteApp204Response{}, nil
}

func toApp(a picloud.App) App {
	app := App{
		ID: a.ID, Slug: a.Slug, Name: a.Name, FetchAllow: append([]string{}, a.FetchAllow...), Paused: a.Paused(), PausedBy: a.PausedBy, CreatedAt: a.CreatedAt.UTC(),
	}
	if a.PausedAt != nil {
		app.PausedAt = instant(*a.PausedAt)
	}
	return app
}
