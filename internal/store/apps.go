package store

import (
	"context"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// CreateApp implements picloud.Apps.
func (s *Store) CreateApp(ctx context.Context, slug, name, owner string) (app picloud.App, err error) {
	err = s.inTx(ctx, func(q *sqlc.Queries) error {
		row, err := q.AppInsert(ctx, slug, name)
		if violates(err, uniqueViolation, "") {
			return picloud.Errorf(picloud.Conflict, "app_exists", "the slug %q is taken", slug)
		}
		if err != nil {
			return fmt.Errorf("insert app: %w", err)
		}
		app = picloud.App(row)
		if owner != "" {
			row, err := q.PrincipalLock(ctx, owner)
			p, err := onePrincipal(row, err, owner)
			if err != nil {
				return err
			}
			if _, err := q.MemberPut(ctx, app.ID, p.ID, string(picloud.RoleAppAdmin)); err != nil {
				return fmt.Errorf("put owner of app: %w", err)
			}
		}
		return audit(ctx, q, "app", slug, nil, appView(app))
	})
	return app, s.audited(ctx, err)
}

// App implements picloud.Apps.
func (s *Store) App(ctx context.Context, slug string) (picloud.App, error) {
	row, err := s.queries.AppGet(ctx, slug)
	if isMissing(err) {
		return picloud.App{}, picloud.NotFoundError("app", slug)
	}
	if err != nil {
		return picloud.App{}, fmt.Errorf("get app: %w", err)
	}
	return picloud.App(row), nil
}

// ListApps implements picloud.Apps.
func (s *Store) ListApps(ctx context.Context, slugs []string, page picloud.Page) (picloud.List[picloud.App], error) {
	rows, err := s.queries.AppList(ctx, page.Cursor, slugs, size(page))
	if err != nil {
		return picloud.List[picloud.App]{}, fmt.Errorf("list apps: %w", err)
	}
	return cut(convert(rows, func(r sqlc.App) picloud.App { return picloud.App(r) }), bounded(page), func(a picloud.App) string { return a.Slug }), nil
}

// SetFetchAllow implements picloud.Apps.
func (s *Store) SetFetchAllow(ctx context.Context, slug string, entries []string) (picloud.App, error) {
	if entries == nil {
		entries = []string{}
	}
	var app picloud.App
	err := s.changeApp(ctx, slug, func(q *sqlc.Queries, before picloud.App) error {
		row, err := q.AppSetFetchAllow(ctx, entries, slug)
		if err != nil {
			return fmt.Errorf("set fetch_allow of app: %w", err)
		}
		app = picloud.App(row)
		return audit(ctx, q, "app", slug, appView(before), appView(app))
	})
	return app, err
}

// PauseApp implements picloud.Apps.
func (s *Store) PauseApp(ctx context.Context, slug, principal string) (picloud.App, error) {
	var app picloud.App
	err := s.changeApp(ctx, slug, func(q *sqlc.Queries, before picloud.App) error {
		row, err := q.AppPause(ctx, optional(principal), slug)
		if err != nil {
			return fmt.Errorf("pause app: %w", err)
		}
		app = picloud.App(row)
		return audit(ctx, q, "app", slug, appView(before), appView(app))
	})
	return app, err
}

// ResumeApp implements picloud.Apps. What a claim is parking at this moment holds the app's row: the last statement sees it.
func (s *Store) ResumeApp(ctx context.Context, slug string) (picloud.App, error) {
	var app picloud.App
	err := s.changeApp(ctx, slug, func(q *sqlc.Queries, before picloud.App) error {
		row, err := q.AppResume(ctx, slug)
		if err != nil {
			return fmt.Errorf("resume app: %w", err)
		}
		app = picloud.App(row)
		if err := audit(ctx, q, "app", slug, appView(before), appView(app)); err != nil {
			return err
		}
		return q.OutboxUnpark(ctx, app.ID)
	})
	if err == nil {
		s.notifier.notify()
	}
	return app, err
}

// DeleteApp implements picloud.Apps.
func (s *Store) DeleteApp(ctx context.Context, slug string) error {
	return s.changeApp(ctx, slug, func(q *sqlc.Queries, before picloud.App) error {
		if err := q.LaneLock(ctx); err != nil { // see lockLanes
			return fmt.Errorf("lock lanes: %w", err)
		}
		if _, err := q.AppDelete(ctx, slug); err != nil {
			return fmt.Errorf("delete app: %w", err)
		}
		return audit(ctx, q, "app", slug, appView(before), nil)
	})
}

// changeApp runs change on a locked app, in one transaction.
func (s *Store) changeApp(ctx context.Context, slug string, change func(*sqlc.Queries, picloud.App) error) error {
	err := s.inTx(ctx, func(q *sqlc.Queries) error {
		row, err := q.AppLock(ctx, slug)
		if isMissing(err) {
			return picloud.NotFoundError("app", slug)
		}
		if err != nil {
			return fmt.Errorf("lock app: %w", err)
		}
		return change(q, picloud.App(row))
	})
	return s.audited(ctx, err)
}

// appView is an app as the audit log shows it.
func appView(a picloud.App) map[string]any {
	return map[string]any{"name": a.Name, "fetch_allow": a.FetchAllow, "paused": a.Paused()}
}
