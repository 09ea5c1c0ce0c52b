package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/picloud/picloud/internal/picloud"
)

// stopsChannel is the LISTEN/NOTIFY channel that says: stop what you run of this execution; the payload is its id.
const stopsChannel = "picloud_stops"

var _ picloud.Presence = (*Store)(nil)

// connectAlone opens a connection of its own, for a session that lasts, until done is called.
func (s *Store) connectAlone(ctx context.Context) (_ *pgx.Conn, done func(), err error) {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return nil, nil, fmt.Errorf("connect listener: %w", err)
	}
	return conn, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}, nil
}

// endsChannel gives the channel on which a process hears of ends; the payload is "<app id>/<execution id>".
func endsChannel(process string) string { return "picloud_ends_" + process }

// Attend implements picloud.Presence. An advisory lock of the session says that the process is alive: the database frees it when the connection is gone, however that came. It is a shared one, so
// that the process, when it connects again, does not wait for a session of its own that the database has not yet seen die.
func (s *Store) Attend(ctx context.Context, h picloud.Hearing) error {
	conn, closeConn, err := s.connectAlone(ctx)
	if err != nil {
		return err
	}
	defer closeConn()
	for _, channel := range []string{stopsChannel, endsChannel(s.process)} {
		if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock_shared(process_lock($1))", s.process); err != nil {
		return fmt.Errorf("lock presence: %w", err)
	}
	h.Present()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("wait for notification: %w", err)
		}
		if n.Channel == stopsChannel {
			h.Stop(n.Payload)
		} else if appID, executionID, ok := strings.Cut(n.Payload, "/"); ok {
			h.Ended(appID, executionID)
		}
	}
}

// Process is the id of the process, random at every start: what attends, and what claims.
func (s *Store) Process() string { return s.process }

// Present implements picloud.Presence.
func (s *Store) Present(ctx context.Context, process string) (bool, error) {
	var free bool
	if err := s.pool.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock(process_lock($1))", process).Scan(&free); err != nil {
		return false, fmt.Errorf("ask for process: %w", err)
	}
	return !free, nil
}

// StopRuns implements picloud.Presence.
func (s *Store) StopRuns(ctx context.Context, executionIDs ...string) error {
	if _, err := s.pool.Exec(ctx, "SELECT pg_notify($1, id) FROM unnest($2::text[]) AS id", stopsChannel, executionIDs); err != nil {
		return fmt.Errorf("notify processes: %w", err)
	}
	return nil
}

// SayEnded implements picloud.Presence.
func (s *Store) SayEnded(ctx context.Context, process, appID, executionID string) error {
	if _, err := s.pool.Exec(ctx, "SELECT pg_notify($1, $2)", endsChannel(process), appID+"/"+executionID); err != nil {
		return fmt.Errorf("notify process: %w", err)
	}
	return nil
}
