package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

func messageFields(m *store.Message) []any { return []any{&m.ID, &m.Partition, &m.Data} }

// Enqueue adds messages to the outbox. Writers take turns, so the order of ids is the order of commits.
func (t *tx) Enqueue(ctx context.Context, messages []store.Message) error {
	for _, m := range messages {
		_, err := t.exec(ctx, "queue a message", `INSERT INTO outbox (partition, data, queued_at) VALUES (?, ?, ?)`,
			m.Partition, blob(m.Data), t.now)
		if err != nil {
			return err
		}
	}
	return nil
}

// Relay publishes what is queued. No transaction is open while it does: the lock beside the database keeps other relays away and
// lets writers write.
func (e *engine) Relay(ctx context.Context, limit int, publish func(ctx context.Context, messages []store.Message) error) (int, error) {
	if e.write == nil {
		return 0, errReadOnly
	}
	release, held, err := e.lock.try(ctx)
	if err != nil || !held {
		return 0, wrap(ctx, "relay", err)
	}
	defer release()
	messages, err := collect(ctx, e.read, "relay", messageFields, `SELECT id, partition, data FROM outbox ORDER BY id LIMIT ?`, limit)
	if err != nil || len(messages) == 0 {
		return 0, err
	}
	if err := publish(ctx, messages); err != nil {
		return 0, fmt.Errorf("sqlite: relay %d messages: %w", len(messages), err)
	}
	// They are out: forgetting them is worth more than stopping at once, or they go out again at the next start.
	err = e.update(context.WithoutCancel(ctx), func(ctx context.Context, t *tx) error {
		for _, m := range messages {
			if _, err := t.exec(ctx, "forget a message", `DELETE FROM outbox WHERE id = ?`, m.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(messages), nil
}

// Queued counts what waits.
func (e *engine) Queued(ctx context.Context) (count int, oldest time.Time, err error) {
	type queued struct {
		count  int
		oldest time.Time
	}
	q, err := one(ctx, e.read, "count the outbox", func(q *queued) []any { return []any{&q.count, at(&q.oldest)} },
		`SELECT count(*), min(queued_at) FROM outbox`)
	return q.count, q.oldest, err
}
