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
	// PausedAt and PausedBy say since when, and by whom, nothing of the app is started; nil while it runs.
	PausedAt *time.Time
	PausedBy *string
}

// Paused says whether nothing of the app may be started.
func (a App) Paused() bool { return a.PausedAt != nil }

// CheckStarts says whether something of the app may be started now: Unavailable "app_paused".
func (a App) CheckStarts() error {
	if !a.Paused() {
		return nil
	}
	e := Errorf(Unavailable, "app_paused", "the app %s is paused since %s: nothing of it is started until it is resumed", a.Slug, a.PausedAt.UTC().Format(time.RFC3339))
	e.RetryAfter = pausedRetryAfter
	return e
}

// pausedRetryAfter is when a caller may look at a paused app again: people resume it, and they are not quick.
const pausedRetryAfter = 30 * time.Second

// Apps keeps the apps.
type Apps interface {
	// CreateApp stores a new app, whose app_admin is the principal of that name ("" = nobody). Conflict "app_exists" if the slug is taken.
	CreateApp(ctx context.Context, slug, name, owner string) (App, error)
	// App gives the app with that slug. NotFound "app_not_found".
	App(ctx context.Context, slug string) (App, error)
	// ListApps gives a page of apps by slug: those among the given slugs, or all (nil).
	ListApps(ctx context.Context, slugs []string, page Page) (List[App], error)
	// SetFetchAllow replaces the allow-list of an app's fetches. NotFound "app_not_found".
	SetFetchAllow(ctx context.Context, slug string, entries []string) (App, error)
	// PauseApp stops the dispatch of the app's firings and all new starts, durably; what has begun goes on, with its further attempts. An app that is paused stays as it is.
	// NotFound "app_not_found".
	PauseApp(ctx context.Context, slug, principal string) (App, error)
	// ResumeApp ends the pause: what waits is due. One that is not paused stays as it is. NotFound "app_not_found".
	ResumeApp(ctx context.Context, slug string) (App, error)
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
