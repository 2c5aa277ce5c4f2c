package compliance

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/quarantine"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
)

func TestApplyWritesEachEventOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, p place) {
		r := seeded(t)
		events := story(r, 60)
		a, b := newReplica(t, s, "a"), newReplica(t, p.another(t), "b")

		apply(t, a, events...)
		verifyLedger(t, s, events)
		apply(t, b, events...) // all of it again, at the other replica
		shuffled := slices.Clone(events)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for _, batch := range batches(r, append(shuffled, shuffled[:20]...), 7) {
			apply(t, a, batch...)
		}
		verifyLedger(t, s, events)
	})
}

// TestApplyTwoReplicasAtOnce gives both all events, each in an order of its own, at the same time.
func TestApplyTwoReplicasAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, p place) {
		r := seeded(t)
		events := story(r, 60)
		var both sync.WaitGroup
		for i, one := range []replica{newReplica(t, s, "a"), newReplica(t, p.another(t), "b")} {
			order := slices.Clone(events)
			own := rand.New(rand.NewPCG(r.Uint64(), uint64(i)))
			own.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			cut := batches(own, order, 12)
			both.Go(func() {
				for _, batch := range cut {
					if err := one.Apply(t.Context(), 0, batch); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		both.Wait()
		verifyLedger(t, s, events)
	})
}

// TestApplyOneIDTwoLeads: two shards, so no lock guards against the double; the ledger's own key does.
func TestApplyOneIDTwoLeads(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, p place) {
		a, b := newReplica(t, s, "a"), newReplica(t, p.another(t), "b")
		say := func(lead string) *eventv1.Event {
			return &eventv1.Event{Source: event.Scoring, Id: "one", Lead: lead, Body: &eventv1.Event_LeadErased{LeadErased: &eventv1.LeadErased{}}}
		}
		first, second := say("x"), say("y")
		for i := byte('z'); ledger.Shard(first) == ledger.Shard(second); i++ {
			second = say(string(i))
		}
		var both sync.WaitGroup
		for _, one := range []struct {
			replica
			e *eventv1.Event
		}{{a, first}, {b, second}} {
			both.Go(func() {
				if err := one.Apply(t.Context(), 0, []*eventv1.Event{one.e}); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		verifyLedger(t, s, []*eventv1.Event{first})
	})
}

func TestApplyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		events := story(seeded(t), 3)
		for name, spoil := range map[string]func(*eventv1.Event){
			"no body": func(e *eventv1.Event) { e.Body = nil },
			"no id":   func(e *eventv1.Event) { e.Id = "" },
			"NUL":     func(e *eventv1.Event) { e.Lead = "l\x00" },
		} {
			bad := proto.CloneOf(events[4])
			spoil(bad)
			err := a.Apply(t.Context(), 0, append(slices.Clone(events[:4]), bad))
			if !bus.IsPermanent(err) {
				t.Errorf("%s: got %v, want an error that is the event's own fault", name, err)
			}
		}
		verifyLedger(t, s, nil)
		// A NUL in a word that becomes a label is kept by both engines.
		odd := proto.CloneOf(events[1])
		odd.GetLeadStaged().Channel = "odd\x00, 50%=x"
		apply(t, a, odd)
		verifyLedger(t, s, []*eventv1.Event{odd})
	})
}

func TestQuarantineKeepsPoison(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		row := store.Quarantined{Key: "k", Stream: "LEADPACT_HANDOFF", Raw: []byte{0, 1, 0xff}, Reason: "no batch", Attempts: 1, At: began}
		if err := a.Quarantine(t.Context(), []store.Quarantined{row}); err != nil {
			t.Fatal(err)
		}
		kept, err := s.Quarantined(t.Context(), "k")
		if err != nil || !bytes.Equal(kept.Raw, row.Raw) {
			t.Fatalf("quarantine holds %+v, %v", kept, err)
		}
	})
}

// TestRetryOfPoison: what was poison goes into the ledger once, and a dry run says so before.
func TestRetryOfPoison(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		good := story(seeded(t), 1)[0]
		bad := proto.CloneOf(good)
		bad.Id = ""
		again := quarantine.Again(s, a)
		for key, e := range map[string]*eventv1.Event{"good": good, "bad": bad} {
			raw, err := proto.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			row := store.Quarantined{Key: key, Kind: store.PoisonEvent, Raw: raw, Attempts: 1, At: began}
			if err := a.Quarantine(t.Context(), []store.Quarantined{row}); err != nil {
				t.Fatal(err)
			}
			for _, trial := range []quarantine.Trial{{Dry: true}, {}, {}} { // the last: a process ended between the commit and the row's end
				v, err := again(t.Context(), row, trial)
				if bus.IsPermanent(err) != (key == "bad") || (key == "good" && (err != nil || v.Outcome != quarantine.Applied)) {
					t.Errorf("%s, dry %t: %+v, %v", key, trial.Dry, v, err)
				}
			}
		}
		verifyLedger(t, s, []*eventv1.Event{good})
		if rows, err := s.ListQuarantined(t.Context(), store.Search{Limit: 9}); err != nil || len(rows) != 1 || rows[0].Key != "bad" {
			t.Errorf("there wait %+v, %v", rows, err)
		}
	})
}

func TestNewAsksForEveryPart(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}); err == nil {
		t.Fatal("an empty configuration was taken")
	}
}
