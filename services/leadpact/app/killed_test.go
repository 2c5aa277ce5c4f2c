package app_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/leadpact/app"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
)

// victimEnv holds the folder of the files that this process is asked to serve with, until it is killed.
const victimEnv = "LEADPACT_APP_VICTIM"

func beVictimIfAsked() {
	dir := os.Getenv(victimEnv)
	if dir == "" {
		return
	}
	a, err := app.New(context.Background(), app.Config{
		Agreement: filepath.Join(dir, "agreement.yaml"), Roster: filepath.Join(dir, "roster.yaml"), Data: filepath.Join(dir, "data"),
		HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0", Secret: apptest.Secret,
	})
	if err == nil {
		fmt.Println(a.HTTPAddr())
		err = a.Run(context.Background())
	}
	_, _ = fmt.Fprintln(os.Stderr, "victim:", err)
	os.Exit(1)
}

// TestKilled: the process that comes after one that was killed takes up its clocks at once. It does not wait for leases that the
// killed one still holds.
func TestKilled(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	cfg := apptest.Config(t, data)
	for _, name := range []string{cfg.Agreement, cfg.Roster} {
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(filepath.Dir(data), filepath.Base(name)), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	victim := exec.CommandContext(t.Context(), exe)
	victim.Env = append(os.Environ(), victimEnv+"="+filepath.Dir(data))
	victim.Stderr = t.Output()
	out, err := victim.StdoutPipe()
	if err == nil {
		err = victim.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	door, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	apptest.Post(t, strings.TrimSpace(door), "website", raise("1", "lea@example.com"))
	apptest.Until(t, "the first clock", func() error {
		var n int
		err := look(t, data, `SELECT count(*) FROM clocks`, &n)
		if err == nil && n == 0 {
			err = sql.ErrNoRows
		}
		return err
	})
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // it was killed

	var shards, owners int
	var owner string
	var expires int64
	if err := look(t, data, `SELECT count(*), count(DISTINCT owner), min(owner), min(expires_at) FROM leases WHERE name = 'clocks'`,
		&shards, &owners, &owner, &expires); err != nil {
		t.Fatal(err)
	}
	held := time.Until(time.UnixMicro(expires))
	if shards != 8 || owners != 1 || owner != "embedded" || held <= 0 {
		t.Fatalf("the killed process left %d leases of %d owners, %s among them, for %s", shards, owners, owner, held)
	}
	s := apptest.Start(t, cfg)
	watch, err := leadpactv1.NewComplianceServiceClient(s.Dial(t, s.Token("mia"))).WatchBreaches(t.Context(), &leadpactv1.WatchBreachesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := watch.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if at := m.GetBreach().GetRecordedAt().AsTime(); !at.Before(time.UnixMicro(expires)) {
		t.Errorf("the clock that was due at %s fired at %s, when the killed process's lease was over", m.GetBreach().GetDueAt().AsTime(), at)
	}
}

// look reads one row of handoff's file, beside whoever writes it.
func look(t *testing.T, data, query string, into ...any) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "handoff.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close() // only read
	return db.QueryRowContext(t.Context(), query).Scan(into...)
}
