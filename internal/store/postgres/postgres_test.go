package postgres_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/store/postgres"
	"github.com/leadpact/leadpact/internal/store/postgres/pgtest"
	"github.com/leadpact/leadpact/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	// Each case has a schema of its own in one database: making a database for each would take most of the time.
	url := pgtest.Database(t)
	storetest.Exercise(t, storetest.Opener{
		Scoring:           one(url, postgres.OpenScoring),
		Handoff:           one(url, postgres.OpenHandoff),
		Compliance:        one(url, postgres.OpenCompliance),
		ScoringPair:       pair(url, postgres.OpenScoring),
		HandoffPair:       pair(url, postgres.OpenHandoff),
		CompliancePair:    pair(url, postgres.OpenCompliance),
		ConcurrentWriters: true,
	})
}

type opener[S any] func(ctx context.Context, url string, o postgres.Options) (S, error)

func open[S any](t testing.TB, opener opener[S], url string, o postgres.Options) S {
	t.Helper()
	s, err := opener(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func one[S any](url string, opener opener[S]) func(t testing.TB) S {
	return func(t testing.TB) S { return open(t, opener, url, postgres.Options{Schema: rand.Text()}) }
}

func pair[S any](url string, opener opener[S]) func(t testing.TB) (S, S) {
	return func(t testing.TB) (S, S) {
		o := postgres.Options{Schema: rand.Text()}
		return open(t, opener, url, o), open(t, opener, url, o)
	}
}

// handoff opens a store that is closed at the end.
func handoff(t *testing.T, url string, o postgres.Options) store.Handoff {
	t.Helper()
	s := open(t, postgres.OpenHandoff, url, o)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// query asks the database for one value, past the store.
func query[V any](t *testing.T, url, sql string, args ...any) (v V) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(context.Background())
	if err := connection.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestReplicasMigrateOnceWhenTheyStartTogether(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	var together sync.WaitGroup
	for range 6 {
		together.Go(func() {
			s, err := postgres.OpenHandoff(t.Context(), url, postgres.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
	if n := query[int](t, url, `SELECT count(*) FROM leadpact_handoff.goose_db_version WHERE version_id = 1`); n != 1 {
		t.Fatalf("migration 1 was applied %d times", n)
	}
}

func TestServicesShareADatabaseAndNoTable(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	scoring, compliance := open(t, postgres.OpenScoring, url, postgres.Options{}), open(t, postgres.OpenCompliance, url, postgres.Options{})
	defer scoring.Close()
	defer compliance.Close()
	other := handoff(t, url, postgres.Options{Schema: `odd "name"`})
	row := store.AgreementRow{Hash: "h", ActiveFrom: time.Unix(1, 0).UTC(), Text: []byte("text"), Actor: "anna"}
	if err := scoring.SaveAgreement(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	for _, s := range []store.Agreements{compliance, other} {
		if rows, err := s.ListAgreements(t.Context()); err != nil || len(rows) != 0 {
			t.Fatalf("a neighbour sees %d agreements (%v)", len(rows), err)
		}
	}
}

// A store of an earlier program keeps what is in it.
func TestVersionsOfAnEarlierProgramStay(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	row := store.AgreementRow{Hash: "h", ActiveFrom: time.Unix(1, 0).UTC(), Text: []byte("text"), Actor: "anna", Signatures: []byte("later")}
	before := open(t, postgres.OpenScoring, url, postgres.Options{})
	if err := errors.Join(before.SaveAgreement(t.Context(), row), before.Close()); err != nil {
		t.Fatal(err)
	}
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(context.Background())
	for _, undo := range []string{
		`ALTER TABLE leadpact_scoring.agreements DROP COLUMN signatures`, `DELETE FROM leadpact_scoring.goose_db_version WHERE version_id > 1`,
		`ALTER TABLE leadpact_scoring.quarantine DROP COLUMN kind, DROP COLUMN hook, DROP COLUMN agreement, DROP COLUMN tried_at,
			DROP COLUMN dropped, DROP COLUMN size`,
		`INSERT INTO leadpact_scoring.quarantine (key, stream, source, event_id, raw, reason, attempts, at)
			VALUES ('e', 's', 'web', '1', 'a', 'no', 2, 7), ('m', 's', '', '', 'b', 'no batch', 1, 8)`,
	} {
		if _, err := connection.Exec(t.Context(), undo); err != nil {
			t.Fatal(err)
		}
	}
	after := open(t, postgres.OpenScoring, url, postgres.Options{})
	defer after.Close()
	rows, err := after.ListAgreements(t.Context())
	if err != nil || len(rows) != 1 || rows[0].Hash != "h" || string(rows[0].Text) != "text" || len(rows[0].Signatures) != 0 {
		t.Errorf("%+v, %v", rows, err)
	}
	for key, kind := range map[string]store.Kind{"e": store.PoisonEvent, "m": store.PoisonMessage} {
		poison, err := after.Quarantined(t.Context(), key)
		if err != nil || poison.Kind != kind || poison.Size != 1 || !poison.TriedAt.IsZero() || len(poison.Hook) != 0 {
			t.Errorf("%+v, %v", poison, err)
		}
	}
}

func TestPingSaysThatTheSchemaIsBehind(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	early := handoff(t, url, postgres.Options{NoMigrate: true})
	const want = "postgres: schema leadpact_handoff is at version 0 and this program needs 4: run `leadpact migrate`"
	if err := early.Ping(t.Context()); err == nil || err.Error() != want {
		t.Fatalf("before the migration: %v", err)
	}
	handoff(t, url, postgres.Options{})
	if err := early.Ping(t.Context()); err != nil {
		t.Fatalf("after the migration: %v", err)
	}
}

func TestReadOnlyReadsAndWritesNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	reader := handoff(t, url, postgres.Options{ReadOnly: true})
	if err := reader.Ping(t.Context()); err == nil {
		t.Fatal("opening read-only made the schema")
	}
	writer := handoff(t, url, postgres.Options{})
	row := store.RosterRow{Hash: "h", Text: []byte("reps"), At: time.Unix(1, 0).UTC(), Actor: "anna"}
	if err := writer.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
		_, err := tx.SaveRoster(ctx, row)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := reader.LatestRoster(t.Context()); err != nil || got.Hash != "h" {
		t.Fatalf("read %+v: %v", got, err)
	}
	if err := reader.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
		_, err := tx.LockPools(ctx, []string{"anna"})
		return err
	}); err == nil {
		t.Fatal("a read-only store wrote")
	}
}

// After a failover the old primary may come back as a standby: it must not be taken for the primary.
func TestWriterRefusesAServerThatOnlyReads(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	handoff(t, url, postgres.Options{})
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(context.Background())
	name := pgx.Identifier{connection.Config().Database}.Sanitize()
	if _, err := connection.Exec(t.Context(), `ALTER DATABASE `+name+` SET default_transaction_read_only = on`); err != nil {
		t.Fatal(err)
	}
	writer := handoff(t, url, postgres.Options{NoMigrate: true})
	if _, err := writer.Now(t.Context()); err == nil {
		t.Fatal("a writer took a server that only reads")
	}
	if _, err := handoff(t, url, postgres.Options{ReadOnly: true}).Now(t.Context()); err != nil {
		t.Fatalf("a reader did not: %v", err)
	}
}

// The order of text must not hang on the database's locale.
func TestTextComparesByBytes(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	for _, s := range []interface{ Close() error }{
		open(t, postgres.OpenScoring, url, postgres.Options{}), open(t, postgres.OpenHandoff, url, postgres.Options{}),
		open(t, postgres.OpenCompliance, url, postgres.Options{}),
	} {
		defer s.Close()
	}
	const columns = `FROM information_schema.columns WHERE table_schema LIKE 'leadpact%' AND data_type IN ('text', 'character varying')`
	if n := query[int](t, url, `SELECT count(*) `+columns); n < 50 {
		t.Fatalf("%d columns of text were found, so this proves nothing", n)
	}
	if n := query[int](t, url, `SELECT count(*) `+columns+` AND collation_name IS DISTINCT FROM 'C'`); n != 0 {
		t.Fatalf("%d columns of text lack COLLATE \"C\"", n)
	}
}

func TestWalksCrossTheirPages(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.OpenScoring, pgtest.Database(t), postgres.Options{})
	defer s.Close()
	const leads = 1203
	ids := make([]string, leads)
	for i := range ids {
		ids[i] = fmt.Sprintf("lead-%05d", i)
	}
	err := s.Update(t.Context(), func(ctx context.Context, tx store.ScoringTx) error {
		rows, err := tx.LockLeads(ctx, ids)
		for i := range rows {
			rows[i].Version++
		}
		return errors.Join(err, tx.SaveLeads(ctx, rows))
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = s.EachLead(t.Context(), func(lead store.Lead, _ []string, _ []store.FactRow) error {
		if lead.ID != ids[seen] {
			return fmt.Errorf("lead %d is %s", seen, lead.ID)
		}
		seen++
		return nil
	})
	if err != nil || seen != leads {
		t.Fatalf("%d of %d leads were walked: %v", seen, leads, err)
	}
}

// Quarantine is where everything else that fails ends, so it must not fail on what text cannot hold here.
func TestQuarantineTakesAnyPoison(t *testing.T) {
	t.Parallel()
	s := handoff(t, pgtest.Database(t), postgres.Options{})
	raw := []byte("nul \x00 and half a rune \xc3")
	err := s.SaveQuarantined(t.Context(), []store.Quarantined{{Key: "k", Source: string(raw), EventID: string(raw), Reason: string(raw), Raw: raw, Attempts: 1}})
	if err != nil {
		t.Fatal(err)
	}
	row, err := s.Quarantined(t.Context(), "k")
	if err != nil || !bytes.Equal(row.Raw, raw) || row.EventID != "nul \uFFFD and half a rune \uFFFD" {
		t.Fatalf("%+v, %v", row, err)
	}
}
