package process

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	// The driver "sqlite", as the program has it.
	_ "github.com/leadpact/leadpact/internal/store/sqlite"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// commits sees assignments as they are committed, from outside: it reads the file that handoff writes. A reader sees a row once the
// transaction that wrote it is committed and, as the file is synchronous=FULL, on disk; so what it sees is never early, and as late
// as its look every half a millisecond makes it.
type commits struct {
	db   *sql.DB
	conn *sql.Conn // data_version is of one connection
	last int64     // row
	data int64     // version
}

func (p *process) commits(ctx context.Context) (*commits, error) {
	path, err := filepath.Abs(filepath.Join(p.dir, "data", "handoff.db"))
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&_pragma=query_only(on)&_pragma=busy_timeout(1000)"}).String())
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), db.Close())
	}
	return &commits{db: db, conn: conn, data: -1}, nil
}

func (c *commits) close() error { return errors.Join(c.conn.Close(), c.db.Close()) }

// follow calls see with the e-mail address of each lead that was assigned and a time that is not before the commit, until see
// returns false or ctx ends.
func (c *commits) follow(ctx context.Context, see func(email string, at time.Time) bool) error {
	tick := time.NewTicker(500 * time.Microsecond)
	defer tick.Stop()
	for {
		more, err := c.look(ctx, see)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("read what handoff committed: %w", err)
		}
		if !more {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (c *commits) look(ctx context.Context, see func(string, time.Time) bool) (more bool, err error) {
	var version int64
	if err := c.conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
		return true, err
	}
	if version == c.data {
		return true, nil
	}
	c.data = version
	rows, err := c.conn.QueryContext(ctx, "SELECT a.rowid, h.contact FROM assignments a JOIN handoffs h USING (lead, cycle) WHERE a.rowid > ? ORDER BY a.rowid", c.last)
	if err != nil {
		return true, err
	}
	defer rows.Close() // read to their end
	var emails []string
	for rows.Next() {
		var card []byte
		if err := rows.Scan(&c.last, &card); err != nil {
			return true, err
		}
		var contact eventv1.Contact
		if err := proto.Unmarshal(card, &contact); err != nil {
			return true, err
		}
		emails = append(emails, contact.GetEmail())
	}
	at := time.Now() // all of them were committed before
	for _, email := range emails {
		if !see(email, at) {
			return false, nil
		}
	}
	return true, rows.Err()
}
