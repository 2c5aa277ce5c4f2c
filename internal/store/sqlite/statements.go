package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// statements are the writer's, prepared once: to prepare one takes longer than to run it. They are made between transactions,
// because the writer has one connection, and a transaction holds it.
type statements struct {
	mu    sync.Mutex
	ready map[string]*sql.Stmt
}

// get returns a statement that was prepared, or nil.
func (s *statements) get(query string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready[query]
}

// prepare makes those that a transaction had to make for itself. Nobody waits for what fails here: the next transaction meets the
// same error, if it lasts.
func (s *statements) prepare(ctx context.Context, db *sql.DB, queries []string) {
	for _, query := range queries {
		made, err := db.PrepareContext(context.WithoutCancel(ctx), query) //nolint:sqlclosecheck // it is kept as long as the store is open
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.ready == nil {
			s.ready = make(map[string]*sql.Stmt)
		}
		if s.ready[query] == nil {
			s.ready[query], made = made, nil
		}
		s.mu.Unlock()
		if made != nil {
			_ = made.Close() // another transaction was first
		}
	}
}
