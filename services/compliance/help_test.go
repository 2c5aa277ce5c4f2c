package compliance

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/store/postgres"
	"github.com/leadpact/leadpact/internal/store/postgres/pgtest"
	"github.com/leadpact/leadpact/internal/store/sqlite"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is a database that stores are opened on.
type place struct {
	// another opens the store once more, as a second replica does. SQLite has one process, so there it is the same store.
	another func(t *testing.T) store.Compliance
	// restarted closes the store and opens it again.
	restarted func(t *testing.T) store.Compliance
}

// onBoth runs a test on both engines.
func onBoth(t *testing.T, test func(t *testing.T, s store.Compliance, p place)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "compliance.db")
		open := func(t *testing.T) store.Compliance {
			t.Helper()
			s, err := sqlite.OpenCompliance(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := open(t)
		live := s
		t.Cleanup(func() { closeStore(t, live) })
		test(t, s, place{
			another: func(*testing.T) store.Compliance { return s },
			restarted: func(t *testing.T) store.Compliance {
				t.Helper()
				closeStore(t, live)
				live = open(t)
				return live
			},
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := pgtest.Database(t)
		open := func(t *testing.T) store.Compliance {
			t.Helper()
			s, err := postgres.OpenCompliance(t.Context(), url, postgres.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { closeStore(t, s) })
			return s
		}
		test(t, open(t), place{another: open, restarted: open})
	})
}

func closeStore(t *testing.T, s store.Compliance) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close the store: %v", err)
	}
}

// replica is one process of the role.
type replica struct {
	*Service
	registry *prometheus.Registry
}

func newReplica(t *testing.T, s store.Compliance, owner string) replica {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	svc, err := New(Config{Store: s, Owner: owner, Kick: func() {}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: r})
	if err != nil {
		t.Fatal(err)
	}
	return replica{svc, r}
}

// serve puts the service behind its gRPC door, with tokens, and returns a connection of a caller with that role.
func serve(t *testing.T, r replica) func(role identity.Role) *grpc.ClientConn {
	t.Helper()
	tokens, err := identity.NewTokens(nil)
	if err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer(grpc.UnaryInterceptor(tokens.Unary()), grpc.StreamInterceptor(tokens.Stream()))
	leadpactv1.RegisterComplianceServiceServer(server, r)
	leadpactv1.RegisterAgreementServiceServer(server, r)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return func(role identity.Role) *grpc.ClientConn {
		options := []grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		}
		if role != "" {
			token, err := tokens.Issue(identity.Person{ID: "p-" + string(role), Role: role})
			if err != nil {
				t.Fatal(err)
			}
			options = append(options, grpc.WithPerRPCCredentials(identity.Bearer(token)))
		}
		conn, err := grpc.NewClient("passthrough:///compliance", options...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
}

// seeded is a source of chance whose seed stands in the test's log.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

var began = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// story is what services say of some leads: each comes in, is staged and assigned, and its clock starts and ends in one of the
// ways, or not at all; of the breaches some are corrected. Times are quarters of a second, so that sums are exact in whatever order they are made.
func story(r *rand.Rand, leads int) []*eventv1.Event {
	var out []*eventv1.Event
	say := func(source, id, lead string, at time.Time, e *eventv1.Event) {
		e.Source, e.Id, e.Lead, e.Mode, e.Agreement = source, id, lead, eventv1.Mode_MODE_LIVE, "a1"
		e.OccurredAt, e.RecordedAt = event.Micros(at), event.Micros(at)
		out = append(out, e)
	}
	for i := range leads {
		lead := fmt.Sprintf("lead%04d", i)
		rep := fmt.Sprintf("rep-%d", r.IntN(5))
		team := []string{"north", "south"}[r.IntN(2)]
		channel := []string{"paid", "organic", "unlisted"}[r.IntN(3)]
		at := began.Add(time.Duration(r.IntN(100_000)) * 250 * time.Millisecond)
		say("web", fmt.Sprintf("in-%d", i), "", at, &eventv1.Event{Body: &eventv1.Event_LeadReceived{LeadReceived: &eventv1.LeadReceived{
			Kind: "form", Channel: channel, Email: lead + "@example.com",
		}}})
		say(event.Scoring, lead+"/staged", lead, at, &eventv1.Event{Body: &eventv1.Event_LeadStaged{LeadStaged: &eventv1.LeadStaged{
			Cycle: 1, N: 1, To: "mql", Channel: channel, Contact: &eventv1.Contact{Email: lead + "@example.com"},
		}}})
		terms := &eventv1.Terms{Cycle: 1, Pool: "p", Grade: "A", Channel: channel, Assignment: lead + "/1/1", Rep: rep, Team: team}
		say(event.Handoff, lead+"/assigned", lead, at, &eventv1.Event{Body: &eventv1.Event_HandoffAssigned{HandoffAssigned: &eventv1.HandoffAssigned{
			Terms: terms, N: 1,
		}}})
		due := at.Add(5 * time.Minute)
		c := &eventv1.Clock{Id: lead + "/1/1/call", Name: "call", Terms: terms, StartedAt: event.Micros(at), DueAt: event.Micros(due)}
		say(event.Handoff, lead+"/started", lead, at, &eventv1.Event{Body: &eventv1.Event_ClockStarted{ClockStarted: &eventv1.ClockStarted{Clock: c}}})
		switch r.IntN(5) {
		case 0:
			stopped := at.Add(time.Duration(r.IntN(1000)) * 250 * time.Millisecond)
			say(event.Handoff, lead+"/met", lead, stopped, &eventv1.Event{Body: &eventv1.Event_ClockMet{ClockMet: &eventv1.ClockMet{
				Clock: c, StoppedAt: event.Micros(stopped), By: "attempt",
			}}})
		case 1:
			say(event.Handoff, lead+"/breached", lead, due, &eventv1.Event{Body: &eventv1.Event_ClockBreached{ClockBreached: &eventv1.ClockBreached{
				Clock: c, Remedy: "reassign",
			}}})
			if r.IntN(2) == 0 {
				continue
			}
			responded := at.Add(time.Duration(r.IntN(1200)) * 250 * time.Millisecond)
			by := []string{"attempt", "withdrawn"}[r.IntN(2)]
			say(event.Handoff, lead+"/corrected", lead, responded, &eventv1.Event{Body: &eventv1.Event_ClockCorrected{ClockCorrected: &eventv1.ClockCorrected{
				Clock: c, RespondedAt: event.Micros(responded), By: by, Source: "crm", BreachedAt: event.Micros(due),
			}}})
		case 2, 3:
			say(event.Handoff, lead+"/cancelled", lead, at, &eventv1.Event{Body: &eventv1.Event_ClockCancelled{ClockCancelled: &eventv1.ClockCancelled{
				Clock: c, Reason: []string{"closed", "withdrawn"}[r.IntN(2)],
			}}})
		}
	}
	return out
}

// breachesOf are the clocks that the story breaks, and those whose breach it corrects, sorted.
func breachesOf(events []*eventv1.Event) []string {
	var out []string
	for _, e := range events {
		if b := e.GetClockBreached(); b != nil {
			out = append(out, b.GetClock().GetId())
		}
		if c := e.GetClockCorrected(); c != nil {
			out = append(out, "corrected "+c.GetClock().GetId())
		}
	}
	slices.Sort(out)
	return out
}

// batches cuts events into pieces of one to most.
func batches(r *rand.Rand, events []*eventv1.Event, most int) [][]*eventv1.Event {
	var out [][]*eventv1.Event
	for len(events) > 0 {
		n := min(1+r.IntN(most), len(events))
		out = append(out, events[:n])
		events = events[n:]
	}
	return out
}

func apply(t *testing.T, r replica, events ...*eventv1.Event) {
	t.Helper()
	if err := r.Apply(t.Context(), 0, events); err != nil {
		t.Fatal(err)
	}
}

// verifyLedger is an auditor: it reads every line, follows every chain to its head, counts everything again, and compares.
func verifyLedger(t *testing.T, s store.Compliance, events []*eventv1.Event) {
	t.Helper()
	heads, err := s.Heads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	end := map[int]store.Head{}
	for _, h := range heads {
		end[h.Shard] = h
	}
	lines := map[store.FactKey]int{}
	counted := map[store.Tally]float64{}
	pending := map[string]bool{}
	for shard := range ledger.Shards {
		head := store.Head{Shard: shard}
		for {
			entries, err := s.Entries(t.Context(), shard, head.Seq, "", 50)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range entries {
				if head, err = ledger.Follow(head, entry); err != nil {
					t.Fatal(err)
				}
				lines[store.FactKey{Source: entry.Source, ID: entry.EventID}]++
				var e eventv1.Event
				if err := proto.Unmarshal(entry.Data, &e); err != nil {
					t.Fatal(err)
				}
				fx := ledger.Judge(&e)
				for _, d := range fx.Tallies {
					counted[store.Tally{Shard: d.Shard, Name: d.Name, Labels: d.Labels}] += d.Value
				}
				for _, c := range fx.Start {
					pending[c.ID] = true
				}
			}
			if len(entries) < 50 {
				break
			}
		}
		if want := end[shard]; want.Seq != head.Seq || (head.Seq > 0 && !bytes.Equal(want.Hash, head.Hash)) {
			t.Errorf("shard %d ends at line %d, its head says %d, or another hash", shard, head.Seq, want.Seq)
		}
	}
	want := map[store.FactKey]int{}
	for _, e := range events {
		want[store.FactKey{Source: e.GetSource(), ID: ledger.ID(e)}] = 1
		if fx := ledger.Judge(e); len(fx.End) > 0 {
			for _, id := range fx.End {
				delete(pending, id)
			}
		}
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("lines by event (-want +got):\n%s", diff)
	}
	stored := map[store.Tally]float64{}
	for shard := range ledger.Shards {
		tallies, err := s.Tallies(t.Context(), shard)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tallies {
			stored[store.Tally{Shard: d.Shard, Name: d.Name, Labels: d.Labels}] = d.Value
		}
	}
	maps.DeleteFunc(stored, func(_ store.Tally, v float64) bool { return v == 0 })
	maps.DeleteFunc(counted, func(_ store.Tally, v float64) bool { return v == 0 })
	if diff := cmp.Diff(counted, stored, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("tallies differ from a recount of all lines (-recount +stored):\n%s", diff)
	}
	left, err := s.PendingClocks(t.Context(), began.AddDate(10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if left != len(pending) {
		t.Errorf("%d clocks are pending in the audit's list, %d by a recount", left, len(pending))
	}
}
