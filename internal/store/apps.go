package store

import (
	"context"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// CreateApp implements picloud.Apps.
func (s *Store) CreateApp(ctx context.Context, slug, name string) (picloud.App, error) {
	row, err := s.queries.AppInsert(ctx, slug, name)
	if violates(err, uniqueViolation, "") {
		return picloud.App{}, picloud.Errorf(picloud.Conflict, "app_exists", "the slug %q is taken", slug)
	}
	if err != nil {
		return picloud.App{}, fmt.Errorf("insert app: %w", err)
	}
	return picloud.App(row), nil
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
func (s *Store) ListApps(ctx context.Context, page picloud.Page) (picloud.List[picloud.App], error) {
	rows, err := s.queries.AppList(ctx, page.Cursor, size(page))
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
	row, err := s.queries.AppSetFetchAllow(ctx, entries, slug)
	if isMissing(err) {
		return picloud.App{}, picloud.NotFoundError("app", slug)
	}
	if err != nil {
		return picloud.App{}, fmt.Errorf("set fetch_allow of app: %w", err)
	}
	return picloud.App(row), nil
}

// PauseApp implements picloud.Apps.
func (s *Store) PauseApp(ctx context.Context, slug, principal string) (picloud.App, error) {
	row, err := s.queries.AppPause(ctx, optional(principal), slug)
	if isMissing(err) {
		return picloud.App{}, picloud.NotFoundError("app", slug)
	}
	if err != nil {
		return picloud.App{}, fmt.Errorf("pause app: %w", err)
	}
	return picloud.App(row), nil
}

// ResumeApp implements picloud.Apps. What a claim is parking at this moment holds the app's row: it is seen by the second statement.
func (s *Store) ResumeApp(ctx context.Context, slug string) (picloud.App, error) {
	var row sqlc.App
	err := s.inTx(ctx, func(q *sqlc.Queries) (err error) {
		if row, err = q.AppResume(ctx, slug); err != nil {
			return err
		}
		return q.OutboxUnpark(ctx, row.ID)
	})
	if isMissing(err) {
		return picloud.App{}, picloud.NotFoundError("app", slug)
	}
	if err != nil {
		return picloud.App{}, fmt.Errorf("resume app: %w", err)
	}
	s.notifier.notify()
	return picloud.App(row), nil
}

// DeleteApp implements picloud.Apps.
func (s *Store) DeleteApp(ctx context.Context, slug string) error {
	n, err := s.queries.AppDelete(ctx, slug)
	if err != nil {
		return fmt.Errorf("delete app: %w", err)
	}
	if n == 0 {
		return picloud.NotFoundError("app", slug)
	}
	return nil
}
