package pgtest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store/postgres/pgtest"
)

func open(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = connection.Close(context.Background()) })
	return connection
}

func TestDatabaseIsOnesOwn(t *testing.T) {
	t.Parallel()
	one, two := open(t, pgtest.Database(t)), open(t, pgtest.Database(t))
	if _, err := one.Exec(t.Context(), `CREATE TABLE lead (id bigint)`); err != nil {
		t.Fatal(err)
	}
	var there bool
	if err := two.QueryRow(t.Context(), `SELECT to_regclass('lead') IS NOT NULL`).Scan(&there); err != nil {
		t.Fatal(err)
	}
	if there {
		t.Fatal("a table made in one database is seen in the other")
	}
}

// A pool that a test forgot to close must not keep its database alive for ever.
func TestDatabaseIsDroppedUnderOpenConnections(t *testing.T) {
	t.Parallel()
	var name string
	t.Run("leaves a connection open", func(t *testing.T) {
		connection, err := pgx.Connect(context.Background(), pgtest.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		name = connection.Config().Database
	})
	var left int
	server := open(t, pgtest.URL(t))
	if err := server.QueryRow(t.Context(), `SELECT count(*) FROM pg_database WHERE datname = $1`, name).Scan(&left); err != nil {
		t.Fatal(err)
	}
	if name == "" || left != 0 {
		t.Fatalf("database %q is still there after its test", name)
	}
}

// A server with fsync off answers before anything is safe.
func TestServerSyncsToDisk(t *testing.T) {
	t.Parallel()
	var fsync string
	if err := open(t, pgtest.URL(t)).QueryRow(t.Context(), `SHOW fsync`).Scan(&fsync); err != nil {
		t.Fatal(err)
	}
	if fsync != "on" {
		t.Fatalf("fsync is %s: tests of what survives a crash mean nothing on this server", fsync)
	}
}

// TestMissingServerFails runs this very test binary without the variable and demands a failure that says what to do.
func TestMissingServerFails(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServerSyncsToDisk$", "-test.v")
	command.Env = append(os.Environ(), pgtest.Variable+"=")
	output, err := command.CombinedOutput()
	if err == nil {
		t.Fatalf("a test without a server passed:\n%s", output)
	}
	if said := string(output); !strings.Contains(said, "--- FAIL") || !strings.Contains(said, "run `make test`, or set "+pgtest.Variable) {
		t.Fatalf("the failure does not say what to do:\n%s", said)
	}
}
