package compliance

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// watch receives up to most messages from the cursor on and then hangs up.
func watch(t *testing.T, conn *grpc.ClientConn, cursor string, once bool, most int) []*leadpactv1.WatchBreachesResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := leadpactv1.NewComplianceServiceClient(conn).WatchBreaches(ctx, &leadpactv1.WatchBreachesRequest{Cursor: cursor, Once: once})
	if err != nil {
		t.Fatal(err)
	}
	var out []*leadpactv1.WatchBreachesResponse
	for len(out) < most {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("after %d messages: %v", len(out), err)
		}
		out = append(out, m)
	}
	return out
}

func clocksOf(messages []*leadpactv1.WatchBreachesResponse) []string {
	var out []string
	for _, m := range messages {
		if c := m.GetCorrection(); c != nil {
			out = append(out, "corrected "+c.GetClockId())
			continue
		}
		out = append(out, m.GetBreach().GetClockId())
	}
	return out
}

const all = 1 << 30

// TestWatchWhileOthersWrite hangs up and resumes all the time, on either replica, while both append.
func TestWatchWhileOthersWrite(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, p place) {
		r := seeded(t)
		events := story(r, 200)
		want := breachesOf(events)
		a, b := newReplica(t, s, "a"), newReplica(t, p.another(t), "b")
		doors := []*grpc.ClientConn{serve(t, a)(identity.Rep), serve(t, b)(identity.Manager)}

		var writers sync.WaitGroup
		defer writers.Wait()
		for i, one := range []replica{a, b} { // each lead's events stay in their order
			var mine []*eventv1.Event
			for _, e := range events {
				if n := len(e.GetLead()); n > 0 && int(e.GetLead()[n-1])%2 == i {
					mine = append(mine, e)
				}
			}
			cut := batches(r, mine, 5)
			writers.Go(func() {
				for _, batch := range cut {
					if err := one.Apply(t.Context(), 0, batch); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		var got []string
		cursor := ""
		for len(got) < len(want) {
			most := min(1+r.IntN(9), len(want)-len(got))
			messages := watch(t, doors[r.IntN(2)], cursor, false, most)
			got = append(got, clocksOf(messages)...)
			cursor = messages[len(messages)-1].GetCursor()
		}
		writers.Wait()
		if rest := watch(t, doors[0], cursor, true, all); len(rest) > 0 {
			t.Errorf("%d breaches are left over: %v", len(rest), clocksOf(rest))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%d breaches were sent, %d were recorded; they are not the same, each once", len(got), len(want))
		}
	})
}

func TestWatchResumesFromEveryCursor(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		events := story(seeded(t), 80)
		a := newReplica(t, s, "a")
		apply(t, a, events...)
		conn := serve(t, a)(identity.Rep)
		whole := watch(t, conn, "", true, all)
		sent := clocksOf(whole)
		if got := slices.Sorted(slices.Values(sent)); !slices.Equal(got, breachesOf(events)) {
			t.Fatalf("sent %v, recorded %v", got, breachesOf(events))
		}
		for i, m := range whole {
			if rest := clocksOf(watch(t, conn, m.GetCursor(), true, all)); !slices.Equal(rest, sent[i+1:]) {
				t.Fatalf("from message %d on: got %v, want %v", i, rest, sent[i+1:])
			}
		}
		// A page is smaller than what may come: more breaches than that in one shard.
		var many []*eventv1.Event
		for i := range page + 20 {
			e := breachOf("lead-with-many", i)
			many = append(many, e)
		}
		apply(t, a, many...)
		if got := len(watch(t, conn, whole[len(whole)-1].GetCursor(), true, all)); got != len(many) {
			t.Errorf("%d of %d breaches of one shard were sent", got, len(many))
		}
	})
}

func breachOf(lead string, i int) *eventv1.Event {
	id := lead + "/" + time.Duration(i).String()
	return &eventv1.Event{
		Source: event.Handoff, Id: id, Lead: lead, Mode: eventv1.Mode_MODE_LIVE,
		OccurredAt: event.Micros(began.Add(time.Hour)), RecordedAt: event.Micros(began.Add(2 * time.Hour)),
		Body: &eventv1.Event_ClockBreached{ClockBreached: &eventv1.ClockBreached{Remedy: "notify", Clock: &eventv1.Clock{
			Id: id, Name: "call", StartedAt: event.Micros(began), DueAt: event.Micros(began.Add(time.Hour)),
			Terms: &eventv1.Terms{Cycle: 3, Pool: "p", Grade: "A", Channel: "paid", Assignment: "as", Rep: "ana", Team: "north"},
		}}},
	}
}

func TestWatchTellsTheBreach(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		apply(t, a, breachOf("l", 0))
		b := watch(t, serve(t, a)(identity.Rep), "", true, all)[0].GetBreach()
		got := []any{
			b.GetClockId(), b.GetClock(), b.GetLead(), b.GetCycle(), b.GetAssignment(), b.GetRep(), b.GetTeam(), b.GetPool(), b.GetGrade(),
			b.GetChannel(), b.GetStartedAt().AsTime(), b.GetDueAt().AsTime(), b.GetRecordedAt().AsTime(), b.GetRemedy(),
		}
		want := []any{
			"l/0s", "call", "l", uint32(3), "as", "ana", "north", "p", "A",
			"paid", began, began.Add(time.Hour), began.Add(2 * time.Hour), "notify",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func correctionOf(lead string, i int) *eventv1.Event {
	clock := breachOf(lead, i).GetClockBreached().GetClock()
	return &eventv1.Event{
		Source: event.Handoff, Id: clock.GetId() + "/corrected", Lead: lead, Mode: eventv1.Mode_MODE_LIVE,
		OccurredAt: event.Micros(began.Add(time.Minute)), RecordedAt: event.Micros(began.Add(3 * time.Hour)),
		Body: &eventv1.Event_ClockCorrected{ClockCorrected: &eventv1.ClockCorrected{
			Clock: clock, RespondedAt: event.Micros(began.Add(time.Minute)), By: "attempt", Source: "crm", BreachedAt: clock.GetDueAt(),
		}},
	}
}

func TestWatchTellsTheCorrection(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		apply(t, a, breachOf("l", 0), correctionOf("l", 0), correctionOf("l", 0))
		messages := watch(t, serve(t, a)(identity.Rep), "", true, all)
		if len(messages) != 2 || messages[0].GetBreach().GetClockId() != "l/0s" || messages[0].GetCorrection() != nil || messages[1].GetBreach() != nil {
			t.Fatalf("got %v, want the breach and then what corrects it", messages)
		}
		c := messages[1].GetCorrection()
		got := []any{
			c.GetClockId(), c.GetClock(), c.GetLead(), c.GetCycle(), c.GetAssignment(), c.GetRep(), c.GetTeam(),
			c.GetDueAt().AsTime(), c.GetRespondedAt().AsTime(), c.GetRecordedAt().AsTime(), c.GetBy(), c.GetSource(),
		}
		want := []any{
			"l/0s", "call", "l", uint32(3), "as", "ana", "north",
			began.Add(time.Hour), began.Add(time.Minute), began.Add(3 * time.Hour), "attempt", "crm",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// More than a page of both, mixed: each once, in the ledger's order, from every cursor.
func TestWatchPagesThroughBoth(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		r := seeded(t)
		a := newReplica(t, s, "a")
		var events []*eventv1.Event
		var want []string
		for i := range 2 * page {
			b := breachOf("l", i)
			events, want = append(events, b), append(want, b.GetId())
			if i < page/2 || r.IntN(3) == 0 {
				c := correctionOf("l", i)
				events, want = append(events, c), append(want, "corrected "+b.GetId())
			}
		}
		apply(t, a, events...)
		conn := serve(t, a)(identity.Rep)
		whole := watch(t, conn, "", true, all)
		if got := clocksOf(whole); !slices.Equal(got, want) {
			t.Fatalf("%d of %d messages, or in another order", len(got), len(want))
		}
		for range 5 {
			i := r.IntN(len(whole))
			if rest := clocksOf(watch(t, conn, whole[i].GetCursor(), true, all)); !slices.Equal(rest, want[i+1:]) {
				t.Errorf("from message %d on: %d messages, want %d", i, len(rest), len(want[i+1:]))
			}
		}
	})
}

// TestWatchOnceEnds although others never stop writing breaches.
func TestWatchOnceEnds(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, p place) {
		a, b := newReplica(t, s, "a"), newReplica(t, p.another(t), "b")
		apply(t, a, breachOf("first", 0))
		ctx, stop := context.WithCancel(t.Context())
		var writer sync.WaitGroup
		writing := make(chan struct{})
		writer.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := b.Apply(ctx, 0, []*eventv1.Event{breachOf("others", i)}); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				if i == 3 {
					close(writing)
				}
			}
		})
		<-writing
		got := clocksOf(watch(t, serve(t, a)(identity.Rep), "", true, all))
		stop()
		writer.Wait()
		if !slices.Contains(got, "first/0s") {
			t.Errorf("what was there before is missing: %v", got)
		}
	})
}

// TestWatchersEndWithTheirCallers: goleak looks after them.
func TestWatchersEndWithTheirCallers(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		apply(t, a, breachOf("l", 0))
		if got := watch(t, serve(t, a)(identity.Rep), "", false, 1); len(got) != 1 {
			t.Errorf("got %d messages", len(got))
		}
	})
}

func TestWatchRefusesBadCursors(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		apply(t, a, breachOf("l", 0))
		client := leadpactv1.NewComplianceServiceClient(serve(t, a)(identity.Rep))
		var ahead cursor
		ahead[3] = 1 << 40
		good := cursor{}.String()
		for name, c := range map[string]string{
			"a word":          "hello",
			"no base64":       "$$$",
			"another version": base64.RawURLEncoding.EncodeToString([]byte{2, 0, 0, 0, 0, 0, 0, 0, 0}),
			"too short":       good[:len(good)-4],
			"too long":        good + "AAAA",
			"a line break":    good[:4] + "\n" + good[4:],
			"of another form": base64.RawURLEncoding.EncodeToString([]byte{1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0}),
			"past the end":    ahead.String(),
		} {
			stream, err := client.WatchBreaches(t.Context(), &leadpactv1.WatchBreachesRequest{Cursor: c, Once: true})
			if err == nil {
				_, err = stream.Recv()
			}
			if status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s: got %v, want %v", name, err, codes.InvalidArgument)
			}
		}
	})
}

func TestCursorRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var want cursor
		for i := range want {
			want[i] = rapid.Int64Range(0, 1<<62).Draw(t, "seq")
		}
		if got, err := parseCursor(want.String()); err != nil || got != want {
			t.Fatalf("%v comes back as %v, %v", want, got, err)
		}
	})
}

func FuzzParseCursor(f *testing.F) {
	f.Add("")
	f.Add(cursor{}.String())
	f.Add(cursor{1, 200, 1 << 62}.String())
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCursor(s)
		if err == nil && s != "" && c.String() != s {
			t.Errorf("%q was taken as %q", s, c)
		}
	})
}
