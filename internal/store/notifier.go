package store

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sirupsen/logrus"
)

// outboxChannel is the LISTEN/NOTIFY channel that says: the outbox has new rows.
const outboxChannel = "picloud_outbox"

// notifier tells the dispatchers about new rows, after their commit and at most one NOTIFY at a time. A NOTIFY within the transaction itself
// would put all commits of the database in one line (PostgreSQL holds one lock over them); a wake-up that is lost costs latency only: the row is in
// the table, and the dispatchers look there every few seconds.
type notifier struct {
	asked  chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func startNotifier(pool *pgxpool.Pool, log logrus.FieldLogger) *notifier {
	ctx, cancel := context.WithCancel(context.Background())
	n := &notifier{asked: make(chan struct{}, 1), cancel: cancel}
	n.done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-n.asked:
			}
			if _, err := pool.Exec(ctx, "NOTIFY "+outboxChannel); err != nil && ctx.Err() == nil && log != nil {
				log.WithError(err).Warn("cannot notify dispatchers; they will find the rows at their next look")
			}
		}
	})
	return n
}

// notify asks for a NOTIFY; it never blocks.
func (n *notifier) notify() {
	select {
	case n.asked <- struct{}{}:
	default:
	}
}

func (n *notifier) stop() {
	n.cancel()
	n.done.Wait()
}

// Listen calls wake for every notification of new outbox rows until ctx ends or the connection fails; once when it starts to listen.
func (s *Store) Listen(ctx context.Context, wake func()) error {
	conn, closeConn, err := s.connectAlone(ctx)
	if err != nil {
		return err
	}
	defer closeConn()
	if _, err := conn.Exec(ctx, "LISTEN "+outboxChannel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	wake()
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return fmt.Errorf("wait for notification: %w", err)
		}
		wake()
	}
}
