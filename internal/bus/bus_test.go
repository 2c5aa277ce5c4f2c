package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/leadpact/leadpact/internal/bus/embedded"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConfig(t *testing.T) {
	t.Parallel()
	server := &embedded.Server{}
	for _, c := range []struct {
		name string
		cfg  Config
		ok   bool
	}{
		{"cluster", Config{URL: "nats://localhost", Partitions: 4}, true},
		{"embedded", Config{Server: server, Partitions: 1}, true},
		{"neither", Config{Partitions: 1}, false},
		{"both", Config{URL: "nats://localhost", Server: server, Partitions: 1}, false},
		{"no partitions", Config{Server: server}, false},
		{"too many partitions", Config{Server: server, Partitions: 257}, false},
		{"embedded replicas", Config{Server: server, Partitions: 1, Replicas: 3}, false},
		{"too many replicas", Config{URL: "nats://localhost", Partitions: 1, Replicas: 6}, false},
		{"negative room", Config{Server: server, Partitions: 1, MaxBytes: -1}, false},
	} {
		if err := c.cfg.validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v, want ok %v", c.name, err, c.ok)
		}
	}
	cluster, alone := Config{URL: "nats://localhost", Partitions: 1}, Config{Server: server, Partitions: 1}
	if err := errors.Join(cluster.validate(), alone.validate()); err != nil || cluster.Replicas != 3 || alone.Replicas != 1 {
		t.Errorf("replicas are %d on a cluster and %d embedded (%v)", cluster.Replicas, alone.Replicas, err)
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	got := redact("nats://me:secret@a:4222, nats://token@b:4222,::bad secret")
	if strings.Contains(got, "secret") || strings.Contains(got, "token") || !strings.Contains(got, "a:4222") {
		t.Errorf("redacted to %q", got)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	var b backoff
	for i := range 20 {
		if d, most := b.next(), min(shortestPause<<i, longestPause); d < 0 || d >= most {
			t.Errorf("pause %d is %v, want less than %v", i, d, most)
		}
	}
	if b.ceiling != longestPause {
		t.Errorf("the ceiling is %v, want %v", b.ceiling, longestPause)
	}
}

func TestTopology(t *testing.T) {
	t.Parallel()
	for producer, want := range map[string]string{
		event.Ingest: "[scoring compliance]", event.Scoring: "[handoff compliance]",
		event.Handoff: "[scoring compliance]", event.Compliance: "[handoff]",
	} {
		if got := fmt.Sprint(rolesOf(producer)); got != want {
			t.Errorf("%s is consumed by %s, want %s", producer, got, want)
		}
	}
}

func TestVerifyStream(t *testing.T) {
	t.Parallel()
	want := func() jetstream.StreamConfig { return stream(event.Ingest, 2, 3, 1<<20) }
	if err := verifyStream(want(), want(), true); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"partitions":   func(c *jetstream.StreamConfig) { c.Metadata = stream(event.Ingest, 4, 3, 1).Metadata },
		"foreign":      func(c *jetstream.StreamConfig) { c.Metadata = nil },
		"subjects":     func(c *jetstream.StreamConfig) { c.Subjects = []string{"leadpact.ingest.0"} },
		"replicas":     func(c *jetstream.StreamConfig) { c.Replicas = 1 },
		"retention":    func(c *jetstream.StreamConfig) { c.Retention = jetstream.LimitsPolicy },
		"discard":      func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld },
		"storage":      func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"age":          func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"messages":     func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 },
		"persist mode": func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode },
	} {
		got := want()
		change(&got)
		if err := verifyStream(got, want(), true); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %v, want ErrMismatch", name, err)
		}
	}
	roomier := want()
	roomier.MaxBytes = 1 << 30
	if err := verifyStream(roomier, want(), true); err != nil {
		t.Errorf("more room: %v", err)
	}
}

// TestAskServer asks real servers, so that a server which renames its field turns it red.
func TestAskServer(t *testing.T) {
	t.Parallel()
	for _, always := range []bool{true, false} {
		srv, err := natsserver.NewServer(&natsserver.Options{
			ServerName: "asked", Host: "127.0.0.1", Port: -1, HTTPHost: "127.0.0.1", HTTPPort: -1,
			JetStream: true, StoreDir: t.TempDir(), SyncAlways: always, NoSigs: true, NoLog: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		name, got, err := askServer(t.Context(), "http://"+srv.MonitorAddr().String()+"/")
		if err != nil || name != "asked" || got != always {
			t.Errorf("the server says name %q, sync_always %v, %v; want sync_always %v", name, got, err, always)
		}
	}
}

func TestProof(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	answer, status := `{"server_name":"a","jetstream":{"config":{"sync_always":true}}}`, http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(srv.Close)
	p := proof{syncAlways: map[string]bool{}}
	of := func(name string) bool {
		return p.of(t.Context(), name, []string{srv.URL}, slog.New(slog.DiscardHandler))
	}
	say := func(code int, text string) {
		mu.Lock()
		defer mu.Unlock()
		answer, status = text, code
		p.asked = time.Time{}
	}
	if !of("a") || of("b") {
		t.Error("a is not proved, or b is")
	}
	if say(http.StatusBadGateway, ""); !of("a") {
		t.Error("a server that is down for the moment lost its proof")
	}
	if say(http.StatusOK, `{"server_name":"a","jetstream":{"config":{}}}`); of("a") {
		t.Error("a server that came back without fsync kept its proof")
	}
}

// sick fails in passing, or hands on to the one who is well.
type sick struct {
	tried chan struct{}
	fail  bool
	done  chan int
}

func (s sick) Apply(_ context.Context, _ int, events []*eventv1.Event) error {
	if s.fail {
		select {
		case s.tried <- struct{}{}:
		default:
		}
		return errors.New("this replica's database is away")
	}
	s.done <- len(events)
	return nil
}

func (s sick) Quarantine(context.Context, []store.Quarantined) error {
	return errors.New("a passing error was quarantined")
}

// TestGiveWay: an owner that only fails lets a replica try that can.
func TestGiveWay(t *testing.T) {
	t.Parallel()
	server, err := embedded.Start(embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	var running sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	start := func(h Handler) *Bus {
		b, err := Open(ctx, Config{Server: server, Partitions: 1, MaxBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		b.giveWay = 200 * time.Millisecond
		if err := b.Declare(ctx); err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			if err := b.Consume(ctx, event.Scoring, h); err != nil {
				t.Error(err)
			}
		})
		t.Cleanup(func() { _ = b.Close(context.Background()) })
		return b
	}
	ill := sick{fail: true, tried: make(chan struct{}, 1)}
	well := sick{done: make(chan int, 10)}
	b := start(ill)
	packed, err := event.Pack([]*eventv1.Event{{Id: "1"}, {Id: "2"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(ctx, event.Ingest, packed[0], "1"); err != nil {
		t.Fatal(err)
	}
	<-ill.tried
	start(well)
	select {
	case n := <-well.done:
		if n != 2 {
			t.Errorf("%d events came, want 2", n)
		}
	case <-ctx.Done():
		t.Error("the replica that is well was not let in")
	}
	cancel()
	running.Wait()
}
