package sqlite_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/store/sqlite"
)

// migrator is what `leadpact migrate` asks of a store.
type migrator interface {
	Migrate(ctx context.Context) error
}

func closed(t *testing.T, s store.Base) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func activate(t *testing.T, s store.Agreements, hash string) {
	t.Helper()
	if err := s.SaveAgreement(t.Context(), store.AgreementRow{Hash: hash}); err != nil {
		t.Fatal(err)
	}
}

// files are the sums of everything in a folder, by name.
func files(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	sums := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		sums[d.Name()] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

// copied copies files of a store into a folder of their own, as they lie there: what a machine finds that lost its power.
func copied(t *testing.T, path string, suffixes ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, suffix := range suffixes {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "store.db"+suffix), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "store.db")
}

// These name the store that a process of its own, started by a test, works on instead of running tests.
const (
	reading  = "LEADPACT_TEST_READ"
	relaying = "LEADPACT_TEST_RELAY"
)

// elsewhere runs such a process and returns what it prints.
func elsewhere(t *testing.T, work, path string) string {
	t.Helper()
	process := exec.CommandContext(t.Context(), os.Args[0])
	process.Env = append(os.Environ(), work+"="+path)
	out, err := process.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v: %s", work, err, out)
	}
	return string(out)
}

// read prints how many agreements it sees.
func read(path string) error {
	s, err := sqlite.OpenScoring(context.Background(), path, sqlite.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	rows, err := s.ListAgreements(context.Background())
	fmt.Print(len(rows))
	return errors.Join(err, s.Ping(context.Background()), s.Close())
}

// A store is read from another process, as `leadpact verify` does: within one process the two would share SQLite's index.
func TestReadOnlyReadsEverythingAndChangesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	writer := must(t, sqlite.OpenScoring, path, sqlite.Options{})
	defer writer.Close()
	activate(t, writer, "h")
	killed := copied(t, path, "", "-wal", "-shm")
	clean := filepath.Join(t.TempDir(), "store.db")
	other := must(t, sqlite.OpenScoring, clean, sqlite.Options{})
	activate(t, other, "h")
	closed(t, other)
	for name, path := range map[string]string{"beside a writer": path, "after a kill": killed, "after a clean stop": clean} {
		before := files(t, filepath.Dir(path))
		if out := elsewhere(t, reading, path); out != "1" {
			t.Errorf("%s: %q agreements", name, out)
		}
		if diff := cmp.Diff(before, files(t, filepath.Dir(path))); diff != "" {
			t.Errorf("%s: files changed:\n%s", name, diff)
		}
	}
}

// relay prints how many messages it relayed.
func relay(path string) error {
	s, err := sqlite.OpenScoring(context.Background(), path, sqlite.Options{NoMigrate: true})
	if err != nil {
		return err
	}
	n, err := s.Relay(context.Background(), 10, func(context.Context, []store.Message) error { return nil })
	fmt.Print(n)
	return errors.Join(err, s.Close())
}

// The relay's lock holds against other processes, also after the file was opened again in this one: a process loses its locks on a
// file as soon as it closes any handle on it.
func TestTheRelaysLockHoldsAgainstOtherProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := must(t, sqlite.OpenScoring, path, sqlite.Options{})
	defer s.Close()
	err := s.Update(t.Context(), func(ctx context.Context, tx store.ScoringTx) error {
		return tx.Enqueue(ctx, []store.Message{{Data: []byte("told")}})
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Relay(t.Context(), 10, func(context.Context, []store.Message) error {
		if n := elsewhere(t, relaying, path); n != "0" {
			t.Errorf("another process relayed %s messages beside this one", n)
		}
		closed(t, must(t, sqlite.OpenScoring, path, sqlite.Options{NoMigrate: true}))
		if n := elsewhere(t, relaying, path); n != "0" {
			t.Errorf("another process relayed %s messages after the store was opened again", n)
		}
		return errors.New("not accepted")
	})
	if err == nil {
		t.Error("Relay swallowed the error of publish")
	}
	if n := elsewhere(t, relaying, path); n != "1" {
		t.Errorf("another process relayed %s messages when its turn came", n)
	}
}

func TestReadOnlyRefusesToWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	closed(t, must(t, sqlite.OpenScoring, path, sqlite.Options{}))
	reader := must(t, sqlite.OpenScoring, path, sqlite.Options{ReadOnly: true})
	defer reader.Close()
	nothing := func(context.Context, store.ScoringTx) error { return nil }
	publish := func(context.Context, []store.Message) error { return nil }
	_, relayed := reader.Relay(t.Context(), 1, publish)
	_, _, leased := reader.Acquire(t.Context(), "timer", 0, "a", time.Second)
	for what, err := range map[string]error{
		"update": reader.Update(t.Context(), nothing), "relay": relayed, "lease": leased, "migrate": reader.(migrator).Migrate(t.Context()),
	} {
		if err == nil || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestReadOnlyRefusesWhatItWouldHaveToMake(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	if _, err := sqlite.OpenScoring(t.Context(), path, sqlite.Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a database that is not there: %v", err)
	}
	if there := files(t, filepath.Dir(path)); len(there) != 0 {
		t.Errorf("looking for a database made %d files", len(there))
	}
	writer := must(t, sqlite.OpenScoring, path, sqlite.Options{})
	defer writer.Close()
	if _, err := sqlite.OpenScoring(t.Context(), copied(t, path, "", "-wal"), sqlite.Options{ReadOnly: true}); err == nil || !strings.Contains(err.Error(), "-shm") {
		t.Errorf("a log without its index: %v", err)
	}
}

func TestCommittedIsThereAfterAKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	writer := must(t, sqlite.OpenHandoff, path, sqlite.Options{})
	defer writer.Close()
	err := writer.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
		return tx.Enqueue(ctx, []store.Message{{Data: []byte("told")}})
	})
	if err != nil {
		t.Fatal(err)
	}
	var killed string
	err = writer.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
		if err := tx.Enqueue(ctx, []store.Message{{Data: []byte("in the middle")}}); err != nil {
			return err
		}
		killed = copied(t, path, "", "-wal", "-shm")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{killed, copied(t, killed, "", "-wal")} {
		s := must(t, sqlite.OpenHandoff, at, sqlite.Options{})
		if n, _, err := s.Queued(t.Context()); n != 1 || err != nil {
			t.Errorf("%d messages after the kill, %v: want the one that was committed", n, err)
		}
		closed(t, s)
	}
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := must(t, sqlite.OpenCompliance, path, sqlite.Options{})
	activate(t, s, "h")
	for name := range files(t, filepath.Dir(path)) {
		info, err := os.Stat(filepath.Join(filepath.Dir(path), name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v: want 0600", name, info.Mode(), err)
		}
	}
	closed(t, s)
	if there := files(t, filepath.Dir(path)); len(there) != 2 {
		t.Errorf("after a clean stop there are %d files: want the database and its lock", len(there))
	}
}

func TestPathsMayHoldAnything(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "50% of ü?mode=ro#x&y.db")
	s := must(t, sqlite.OpenScoring, path, sqlite.Options{})
	activate(t, s, "h")
	closed(t, s)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if _, err := sqlite.OpenScoring(t.Context(), filepath.Join(filepath.Dir(path), "none", "store.db"), sqlite.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestPingNamesWhatToDo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := must(t, sqlite.OpenScoring, path, sqlite.Options{NoMigrate: true})
	defer s.Close()
	if err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "leadpact migrate") {
		t.Errorf("a database without a schema: %v", err)
	}
	if err := s.(migrator).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("after the migration: %v", err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("a schema that is ahead, as it is in the middle of an upgrade: %v", err)
	}
	if _, err := db.ExecContext(t.Context(), `DELETE FROM goose_db_version WHERE version_id > 0`); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "leadpact migrate") {
		t.Errorf("a schema that is behind: %v", err)
	}
}

func TestManyMayOpenAtOnce(t *testing.T) {
	t.Parallel()
	for range 5 {
		path := filepath.Join(t.TempDir(), "store.db")
		start := make(chan struct{})
		var group errgroup.Group
		for range 6 {
			group.Go(func() error {
				<-start
				s, err := sqlite.OpenHandoff(t.Context(), path, sqlite.Options{})
				if err != nil {
					return err
				}
				return errors.Join(s.Ping(t.Context()), s.Close())
			})
		}
		close(start)
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

// Both engines take the same steps, so that one number says what either has.
func TestMigrationsHaveTheSameNumbersAsPostgreSQLs(t *testing.T) {
	t.Parallel()
	names := func(engine string) (names []string) {
		paths, err := filepath.Glob(filepath.Join("..", engine, "migrations", "*", "*.sql"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			names = append(names, filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path)))
		}
		return names
	}
	if diff := cmp.Diff(names("postgres"), names("sqlite")); diff != "" || len(names("sqlite")) < 3 {
		t.Errorf("migrations (-postgres +sqlite):\n%s", diff)
	}
}

func TestAWriteInsideUpdateIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := must(t, sqlite.OpenScoring, filepath.Join(dir, "store.db"), sqlite.Options{})
	defer s.Close()
	other := must(t, sqlite.OpenScoring, filepath.Join(dir, "other.db"), sqlite.Options{})
	defer other.Close()
	err := s.Update(t.Context(), func(ctx context.Context, _ store.ScoringTx) error {
		activate(t, other, "another store is another matter")
		return s.SaveAgreement(ctx, store.AgreementRow{Hash: "h"})
	})
	if err == nil || !strings.Contains(err.Error(), "inside Update") {
		t.Fatalf("a write that would wait for itself: %v", err)
	}
}

// A writer that another process holds up lets go when its caller does.
func TestAForeignWriterHoldsUpOnlyForAsLongAsTheCallerWaits(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := must(t, sqlite.OpenScoring, path, sqlite.Options{})
	defer s.Close()
	db, err := sql.Open("sqlite", path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	foreign, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.SaveAgreement(ctx, store.AgreementRow{Hash: "h"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside a foreign writer: %v", err)
	}
	if rows, err := s.ListAgreements(t.Context()); err != nil || len(rows) != 0 {
		t.Errorf("readers wait for nobody: %d rows, %v", len(rows), err)
	}
	if err := foreign.Rollback(); err != nil {
		t.Fatal(err)
	}
	activate(t, s, "h")
}

func TestLeasesGoByTheInjectedClock(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 29, 0, 59, 59, 123456789, time.FixedZone("x", 3600))
	now := start
	s := must(t, sqlite.OpenHandoff, filepath.Join(t.TempDir(), "store.db"), sqlite.Options{Now: func() time.Time { return now }})
	defer s.Close()
	if read, err := s.Now(t.Context()); err != nil || !read.Equal(start.Truncate(time.Microsecond)) || read.Location() != time.UTC {
		t.Fatalf("Now is %v, %v", read, err)
	}
	acquire := func(after time.Duration, owner string, want bool) {
		t.Helper()
		now = start.Add(after)
		held, _, err := s.Acquire(t.Context(), "timer", 0, owner, time.Second)
		if err != nil || held != want {
			t.Fatalf("after %v %s holds the lease: %v, %v", after, owner, held, err)
		}
	}
	acquire(0, "a", true)
	acquire(time.Second-time.Microsecond, "b", false)
	acquire(time.Second-time.Microsecond, "a", true) // renewed to almost two seconds
	acquire(time.Second, "b", false)
	acquire(2*time.Second-time.Microsecond, "b", true)
	acquire(2*time.Second, "a", false)
	acquire(-time.Hour, "a", false) // a clock that goes back frees nothing
}
