package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

// outbox is the part of a transaction that queues messages.
type outbox struct{ tx *transaction }

const enqueue = `
	INSERT INTO outbox (partition, data, queued_at)
	SELECT partition, data, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
	FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS new (partition, data, position)
	ORDER BY position`

// Enqueue numbers the messages while the transaction holds the locks of their leads, so messages of one lead are numbered in the
// order of its commits. The server's clock is read in the statement, which saves a round trip; it only tells how old the queue is.
func (o outbox) Enqueue(ctx context.Context, messages []store.Message) error {
	if len(messages) == 0 {
		return nil
	}
	_, err := exec(ctx, o.tx, "queue messages", enqueue, messageArguments(messages)...)
	return err
}

func messageArguments(messages []store.Message) []any {
	return []any{
		column(messages, func(m store.Message) int64 { return int64(m.Partition) }),
		column(messages, func(m store.Message) []byte { return filled(m.Data) }),
	}
}

// Relay holds the relay row's lock while it publishes, so that a second relay finds it taken and leaves. It goes by which rows are
// there, never by a number reached: a transaction that took a low number and commits late is met at the next call.
//
// A crash between publish and commit publishes again, with the same ids. So the commit waits for no disk: what is forgotten a little
// later is no worse.
func (b *base) Relay(ctx context.Context, limit int, publish func(ctx context.Context, messages []store.Message) error) (int, error) {
	relayed := 0
	// What is out must be forgotten although ctx ends meanwhile, or it goes out again at the next start.
	err := b.within(context.WithoutCancel(ctx), pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(lasting context.Context, tx *transaction) error {
		var one int64
		err := tx.QueryRow(ctx, `SELECT id, set_config('synchronous_commit', 'off', true) FROM relay WHERE id = 1 FOR UPDATE SKIP LOCKED`).Scan(&one, nil)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return failed("take the relay's lock", err)
		}
		messages, err := collect(ctx, tx, "read the outbox", func(row pgx.CollectableRow) (m store.Message, err error) {
			return m, row.Scan(&m.ID, &m.Partition, &m.Data)
		}, `SELECT id, partition, data FROM outbox ORDER BY id LIMIT $1`, max(limit, 0))
		if err != nil || len(messages) == 0 {
			return err
		}
		if err := publish(ctx, messages); err != nil {
			return err
		}
		relayed = len(messages)
		_, err = exec(lasting, tx, "forget what was published", `DELETE FROM outbox WHERE id = ANY ($1)`, column(messages, func(m store.Message) int64 { return m.ID }))
		return err
	})
	if err != nil {
		return 0, err
	}
	return relayed, nil
}

// Queued counts what waits.
func (b *base) Queued(ctx context.Context) (count int, oldest time.Time, err error) {
	err = b.pool.QueryRow(ctx, `SELECT count(*), min(queued_at) FROM outbox`).Scan(&count, instant{&oldest})
	return count, oldest, failed("count the outbox", err)
}
