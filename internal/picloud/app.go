package picloud

import (
	"context"
	"regexp"
	"time"
)

// App is the owner of scripts, triggers, data and executions. Its slug is its name in every address.
type App struct {
	ID        string
	Slug      string
	Name      string
	CreatedAt time.Time
	// FetchAllow is where its scripts may fetch from, see ParseFetchRules; empty = every public host.
	FetchAllow []string
}

// Apps keeps the apps.
type Apps interface {
	// CreateApp stores a new app. Conflict "app_exists" if the slug is taken.
	CreateApp(ctx context.Context, slug, name string) (App, error)
	// App gives the app with that slug. NotFound "app_not_found".
	App(ctx context.Context, slug string) (App, error)
	// ListApps gives a page of apps by slug.
	ListApps(ctx context.Context, page Page) (List[App], error)
	// SetFetchAllow replaces the allow-list of an app's fetches. NotFound "app_not_found".
	SetFetchAllow(ctx context.Context, slug string, entries []string) (App, error)
	// DeleteApp removes the app and all that it owns. NotFound "app_not_found".
	DeleteApp(ctx context.Context, slug string) error
}

// Page asks for part of a list: at most Limit items after the item that Cursor stands for ("" = from the start).
type Page struct {
	Limit  int
	Cursor string
}

// The bounds of Page.Limit.
const (
	DefaultPageLimit = 50
	MaxPageLimit     = 500
)

// List is one page. Next is "" on the last one.
type List[T any] struct {
	Items []T
	Next  string
}

var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CheckName says whether s can be the slug of an app or the name of a script or trigger: 1 to 63 of a-z, 0-9 and -,
// not at the ends: what a DNS label allows, since an app's slug is part of its mail domain.
func CheckName(field, s string) error {
	if !nameForm.MatchString(s) {
		return InvalidField(field, "%q is no name: use 1 to 63 of a-z, 0-9 and - (a dash not first or last)", s)
	}
	return nil
}
