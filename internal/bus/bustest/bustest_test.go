package bustest_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/bus/bustest"
	"github.com/leadpact/leadpact/internal/bus/embedded"
	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// victimEnv holds the folder on which this process is asked to publish until it is killed.
const victimEnv = "LEADPACT_BUSTEST_VICTIM"

func TestMain(m *testing.M) {
	bustest.ServeIfAsked()
	if dir := os.Getenv(victimEnv); dir != "" {
		_, _ = fmt.Fprintln(os.Stderr, "victim:", publishForEver(dir))
		os.Exit(1)
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil { // the cases wait more than they work
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	bustest.Exercise(t, func(t *testing.T) *bustest.Site {
		dir := t.TempDir()
		var server *embedded.Server
		start := func(t testing.TB) {
			var err error
			if server, err = embedded.Start(embedded.Config{Dir: dir, MaxStore: 1 << 30}); err != nil {
				t.Fatal(err)
			}
		}
		stop := func(t testing.TB) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := server.Stop(ctx); err != nil {
				t.Error(err)
			}
		}
		start(t)
		t.Cleanup(func() { stop(t) })
		return &bustest.Site{
			Config: func() bus.Config { return bus.Config{Server: server, Partitions: 2, MaxBytes: 64 << 20} },
			Connect: func(t testing.TB) *nats.Conn {
				nc, err := nats.Connect("", nats.InProcessServer(server))
				if err != nil {
					t.Fatal(err)
				}
				return nc
			},
			Restart: func(t testing.TB) { stop(t); start(t) },
			Stop:    stop,
		}
	})
}

// TestEmbeddedKilled kills a process with SIGKILL while it publishes; what it said was acknowledged must be there afterwards.
func TestEmbeddedKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	victim := exec.Command(exe)
	victim.Env = append(os.Environ(), victimEnv+"="+dir)
	victim.Stderr = os.Stderr
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	acked := 0
	for lines := bufio.NewScanner(out); lines.Scan(); acked++ {
		if acked == 500 {
			if err := victim.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = victim.Wait() // killed
	if acked < 500 {
		t.Fatalf("the victim ended by itself after %d messages", acked)
	}

	server, err := embedded.Start(embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	b := openBus(t, bus.Config{Server: server, Partitions: 1})
	if err := b.Declare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	lag, err := b.Lag(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, consumer := range []string{"scoring-ingest-0", "compliance-ingest-0"} {
		// One more may be stored than was told.
		if got := int(lag[consumer]); got < acked || got > acked+1 {
			t.Errorf("%s is offered %d messages, %d were acknowledged", consumer, got, acked)
		}
	}
}

func publishForEver(dir string) error {
	ctx := context.Background()
	server, err := embedded.Start(embedded.Config{Dir: dir})
	if err != nil {
		return err
	}
	b, err := bus.Open(ctx, bus.Config{Server: server, Partitions: 1})
	if err != nil {
		return err
	}
	if err := b.Declare(ctx); err != nil {
		return err
	}
	for i := 0; ; i++ {
		packed, err := event.Pack([]*eventv1.Event{{Id: strconv.Itoa(i), Source: "form"}}, 1)
		if err != nil {
			return err
		}
		if err := b.Publish(ctx, event.Ingest, packed[0], strconv.Itoa(i)); err != nil {
			return err
		}
		if _, err := fmt.Println(i); err != nil {
			return err
		}
	}
}
