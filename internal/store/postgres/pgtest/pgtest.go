// Package pgtest gives each test an empty PostgreSQL database of its own on a real server.
package pgtest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Variable names the environment variable that holds the URL of the server, for a role that may create databases:
// postgres://user:password@host:port/database.
const Variable = "LEADPACT_TEST_POSTGRES"

// patience bounds every statement here: longer than a loaded machine needs to copy a template, shorter than the limit
// of go test, so that a server that hangs is named in the failure.
const patience = time.Minute

// URL is the server that the tests were given. A test without one fails: a suite that skips itself proves nothing.
func URL(t testing.TB) string {
	t.Helper()
	server := os.Getenv(Variable)
	if server == "" {
		t.Fatalf("no PostgreSQL to test against: run `make test`, or set %s to the URL of a server where databases may be created", Variable)
	}
	return server
}

// Database creates an empty database on that server and returns its URL. It is dropped when the test ends, with
// whatever connections the test left open.
func Database(t testing.TB) string {
	t.Helper()
	server := URL(t)
	address, err := url.Parse(server)
	if err != nil || address.Host == "" && address.Query().Get("host") == "" {
		t.Fatalf("%s must be a URL such as postgres://user:password@127.0.0.1:5432/postgres", Variable)
	}
	name := "test_" + rand.Text()
	// template0 rather than template1: nobody can be connected to it, which would refuse the copy, and no
	// administrator has put anything there.
	run(t, server, `CREATE DATABASE "`+name+`" TEMPLATE template0`)
	t.Cleanup(func() { run(t, server, `DROP DATABASE IF EXISTS "`+name+`" WITH (FORCE)`) })
	address.Path = "/" + name
	return address.String()
}

// run executes one statement on a connection of its own: CREATE and DROP DATABASE refuse to run inside a transaction,
// and the test's own context has ended by the time that its cleanups run.
func run(t testing.TB, server, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	connection, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("connect to the server that %s names: %v", Variable, err)
	}
	defer connection.Close(ctx)
	if _, err := connection.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
