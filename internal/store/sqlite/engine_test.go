package sqlite

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/store"
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

// A store of an earlier program keeps what is in it.
func TestVersionsOfAnEarlierProgramStay(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	e, err := open(t.Context(), path, "compliance", Options{NoMigrate: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.schema.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := e.write.ExecContext(t.Context(), `INSERT INTO agreements (hash, active_from, document, actor) VALUES ('h', 1, x'61', 'anna')`); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := OpenCompliance(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows, err := s.ListAgreements(t.Context())
	if err != nil || len(rows) != 1 || rows[0].Hash != "h" || string(rows[0].Text) != "a" || len(rows[0].Signatures) != 0 {
		t.Errorf("%+v, %v", rows, err)
	}
}

// What an earlier program put into quarantine can be tried again.
func TestQuarantineOfAnEarlierProgramStays(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"scoring", "handoff", "compliance"} {
		path := filepath.Join(t.TempDir(), service+".db")
		e, err := open(t.Context(), path, service, Options{NoMigrate: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.schema.UpTo(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if _, err := e.write.ExecContext(t.Context(), `INSERT INTO quarantine (key, stream, source, event_id, raw, reason, attempts, at)
			VALUES ('e', 's', 'web', '1', x'61', 'no', 2, 7), ('m', 's', '', '', x'62', 'no batch', 1, 8)`); err != nil {
			t.Fatal(err)
		}
		if err := e.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		for key, kind := range map[string]store.Kind{"e": store.PoisonEvent, "m": store.PoisonMessage} {
			row, err := e.Quarantined(t.Context(), key)
			if err != nil || row.Kind != kind || row.Size != 1 || !row.TriedAt.IsZero() || len(row.Hook) != 0 {
				t.Errorf("%s: %+v, %v", service, row, err)
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What a source has used is counted in the transaction that keeps a webhook: no raw bytes may be walked for it.
func TestCountingASourcesRoomReadsAnIndex(t *testing.T) {
	t.Parallel()
	e, err := open(t.Context(), filepath.Join(t.TempDir(), "store.db"), "scoring", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var id, parent, unused int
	var plan string
	if err := e.read.QueryRowContext(t.Context(), `EXPLAIN QUERY PLAN `+used, "web", store.RefusedHook).Scan(&id, &parent, &unused, &plan); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(plan, "USING COVERING INDEX quarantine_used") {
		t.Error(plan)
	}
}
