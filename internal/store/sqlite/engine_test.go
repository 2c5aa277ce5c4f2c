package sqlite

import (
	"path/filepath"
	"testing"
)

// A commit that was acknowledged must be on the disk: WAL alone fsyncs only at checkpoints.
func TestTheWriterIsDurable(t *testing.T) {
	t.Parallel()
	e, err := open(t.Context(), filepath.Join(t.TempDir(), "store.db"), "scoring", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
		var value string
		if err := e.write.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&value); err != nil || value != want {
			t.Errorf("%s is %s, %v: want %s", pragma, value, err, want)
		}
	}
	if _, err := e.read.ExecContext(t.Context(), `DELETE FROM outbox`); err == nil {
		t.Error("a reader writes")
	}
}
