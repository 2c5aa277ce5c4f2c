package quarantine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/quarantine"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/store/sqlite"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

var start = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// house is a Service over the real stores of scoring and compliance. What a retry does is told by the row's raw bytes.
type house struct {
	*quarantine.Service
	stores map[string]store.Base
	tried  []string
	log    bytes.Buffer
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{stores: map[string]store.Base{}}
	dir := t.TempDir()
	scoring, err := sqlite.OpenScoring(t.Context(), filepath.Join(dir, "scoring.db"), sqlite.Options{})
	must(t, err)
	compliance, err := sqlite.OpenCompliance(t.Context(), filepath.Join(dir, "compliance.db"), sqlite.Options{})
	must(t, err)
	h.stores["scoring"], h.stores["compliance"] = scoring, compliance
	rooms := map[string]quarantine.Room{}
	for name, s := range h.stores {
		t.Cleanup(func() { must(t, s.Close()) })
		rooms[name] = quarantine.Room{Store: s, Retry: func(ctx context.Context, row store.Quarantined, trial quarantine.Trial) (quarantine.Verdict, error) {
			return h.retry(ctx, s, row, trial)
		}}
	}
	h.Service, err = quarantine.New(rooms, slog.New(slog.NewTextHandler(&h.log, nil)))
	must(t, err)
	return h
}

func (h *house) retry(ctx context.Context, s store.Base, row store.Quarantined, trial quarantine.Trial) (quarantine.Verdict, error) {
	h.tried = append(h.tried, row.Key)
	events := []quarantine.Event{{ID: row.Key, Result: quarantine.EventApplied, Stages: []string{"mql"}}}
	if trial.Agreement != nil {
		events[0].Kind = trial.Agreement.Title
	}
	switch string(row.Raw) {
	case "poison":
		return quarantine.Verdict{Events: []quarantine.Event{{ID: row.Key, Result: quarantine.EventRefused}}}, bus.Permanent(errors.New("still poison"))
	case "many", "wide":
		v := quarantine.Verdict{Events: make([]quarantine.Event, 1000)}
		if string(row.Raw) == "wide" {
			v.Events = []quarantine.Event{{Reason: strings.Repeat("x", 400<<10)}}
		}
		return v, bus.Permanent(errors.New("still large"))
	case "panic":
		panic("hunter2 stands in it")
	case "away":
		return quarantine.Verdict{}, errors.New("the database is away")
	case "gone":
		return quarantine.Verdict{Outcome: quarantine.Gone}, nil
	}
	if !trial.Dry {
		if _, err := s.SettleQuarantined(ctx, row.Key, store.Settlement{Applied: true}); err != nil {
			return quarantine.Verdict{}, err
		}
	}
	return quarantine.Verdict{Outcome: quarantine.Applied, Events: events}, nil
}

// add puts rows into a room, a second apart, keyed by what they are and their place.
func (h *house) add(t *testing.T, room, source string, raws ...string) {
	t.Helper()
	for i, raw := range raws {
		must(t, h.stores[room].SaveQuarantined(t.Context(), []store.Quarantined{{
			Key: fmt.Sprintf("%s-%d-%s", source, i, raw), Kind: store.PoisonEvent, Source: source, EventID: "ada@example.com", Raw: []byte(raw),
			Reason: "no", Attempts: 1, At: start.Add(time.Duration(i) * time.Second),
		}}))
	}
}

func (h *house) waits(t *testing.T, room string) string {
	t.Helper()
	rows, err := h.stores[room].ListQuarantined(t.Context(), store.Search{Limit: 100})
	must(t, err)
	var out []string
	for _, row := range rows {
		out = append(out, fmt.Sprintf("%s(%d)", row.Key, row.Attempts))
	}
	return strings.Join(out, " ")
}

func as(t *testing.T, role identity.Role) context.Context {
	return identity.With(t.Context(), identity.Person{ID: "root", Role: role})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t *testing.T, err error, code codes.Code, words string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(err.Error(), words) {
		t.Errorf("%v, want %s with %q", err, code, words)
	}
}

func outcomes(rows []*leadpactv1.Retried) string {
	var out []string
	for _, row := range rows {
		out = append(out, row.GetOutcome()+" "+row.GetKey())
	}
	return strings.Join(out, ", ")
}

func TestAdminsAlone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.add(t, "scoring", "web", "good")
	for _, ctx := range []context.Context{t.Context(), as(t, identity.Rep), as(t, identity.Manager)} {
		_, err := h.ListQuarantined(ctx, &leadpactv1.ListQuarantinedRequest{})
		fails(t, err, codes.PermissionDenied, "role admin")
		_, err = h.GetQuarantined(ctx, &leadpactv1.GetQuarantinedRequest{Key: "web-0-good"})
		fails(t, err, codes.PermissionDenied, "role admin")
		_, err = h.RetryQuarantined(ctx, &leadpactv1.RetryQuarantinedRequest{All: true})
		fails(t, err, codes.PermissionDenied, "role admin")
		_, err = h.DropQuarantined(ctx, &leadpactv1.DropQuarantinedRequest{All: true})
		fails(t, err, codes.PermissionDenied, "role admin")
	}
	if h.waits(t, "scoring") != "web-0-good(1)" || len(h.tried) > 0 {
		t.Error("somebody got in")
	}
}

func TestListPageByPage(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.add(t, "scoring", "web", "a", "b", "c")
	h.add(t, "scoring", "crm", "d")
	h.add(t, "compliance", "web", "e", "f")
	ctx := as(t, identity.Admin)
	for source, want := range map[string]string{
		"": "compliance web-0-e, compliance web-1-f, scoring crm-0-d, scoring web-0-a, scoring web-1-b, scoring web-2-c",
		// In order of arrival within a service.
		"crm": "scoring crm-0-d",
		"x":   "",
	} {
		for limit := int32(1); limit <= 7; limit++ {
			var all []string
			for req := (&leadpactv1.ListQuarantinedRequest{Limit: limit, Source: source}); ; {
				resp, err := h.ListQuarantined(ctx, req)
				must(t, err)
				for _, row := range resp.GetRows() {
					if len(row.GetRaw()) > 0 || row.GetEventId() != "" || row.GetSize() != 1 || row.GetReason() != "no" || row.GetKind() != "event" {
						t.Errorf("listed %v", row)
					}
					all = append(all, row.GetService()+" "+row.GetKey())
				}
				if req.PageToken = resp.GetNextPageToken(); req.GetPageToken() == "" {
					break
				}
				if int32(len(resp.GetRows())) != limit {
					t.Errorf("a page of %d, not the last, asked for %d", len(resp.GetRows()), limit)
				}
			}
			if got := strings.Join(all, ", "); got != want {
				t.Errorf("source %q by %d: %s", source, limit, got)
			}
		}
	}
	resp, err := h.ListQuarantined(ctx, &leadpactv1.ListQuarantinedRequest{Service: "compliance"})
	must(t, err)
	if len(resp.GetRows()) != 2 || resp.GetNextPageToken() != "" {
		t.Errorf("of compliance: %v", resp)
	}
	_, err = h.ListQuarantined(ctx, &leadpactv1.ListQuarantinedRequest{Service: "handoff"})
	fails(t, err, codes.FailedPrecondition, "answers for the quarantine of compliance, scoring")
	_, err = h.ListQuarantined(ctx, &leadpactv1.ListQuarantinedRequest{Limit: 501})
	fails(t, err, codes.InvalidArgument, "1 to 500")
	for _, token := range []string{"x", "????", "YQ"} {
		_, err = h.ListQuarantined(ctx, &leadpactv1.ListQuarantinedRequest{PageToken: token})
		fails(t, err, codes.InvalidArgument, "page_token")
	}
}

func TestGetIsWholeAndLogged(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx := as(t, identity.Admin)
	brought, err := proto.Marshal(&eventv1.Event{Body: &eventv1.Event_HookRefused{HookRefused: &eventv1.HookRefused{
		Headers: []*eventv1.Header{{Name: "Content-Type", Value: "text/xml"}}, Refused: []uint32{2},
	}}})
	must(t, err)
	must(t, h.stores["scoring"].SaveQuarantined(t.Context(), []store.Quarantined{{
		Key: "k", Kind: store.RefusedHook, Source: "web", EventID: "id", Raw: []byte("hunter2"), Hook: brought, Agreement: "hash", At: start, TriedAt: start.Add(time.Hour),
	}}))
	resp, err := h.GetQuarantined(ctx, &leadpactv1.GetQuarantinedRequest{Key: "k"})
	must(t, err)
	row := resp.GetRow()
	if string(row.GetRaw()) != "hunter2" || row.GetEventId() != "id" || row.GetAgreement() != "hash" || len(row.GetHeaders()) != 1 || row.GetHeaders()[0].GetValue() != "text/xml" ||
		len(row.GetRefused()) != 1 || !row.GetAt().AsTime().Equal(start) || !row.GetTriedAt().AsTime().Equal(start.Add(time.Hour)) || row.GetService() != "scoring" {
		t.Errorf("got %v", row)
	}
	if log := h.log.String(); !strings.Contains(log, "by=root service=scoring key=k") || strings.Contains(log, "hunter2") {
		t.Errorf("logged %s", log)
	}
	_, err = h.GetQuarantined(ctx, &leadpactv1.GetQuarantinedRequest{Key: "other"})
	fails(t, err, codes.NotFound, "other")
	h.add(t, "scoring", "web", "a")
	h.add(t, "compliance", "web", "a")
	_, err = h.GetQuarantined(ctx, &leadpactv1.GetQuarantinedRequest{Key: "web-0-a"})
	fails(t, err, codes.FailedPrecondition, "name the service")
	if _, err = h.GetQuarantined(ctx, &leadpactv1.GetQuarantinedRequest{Key: "web-0-a", Service: "compliance"}); err != nil {
		t.Error(err)
	}
}

// What fails stays with one attempt more, and holds up nothing behind it, not even when the program fails on it.
func TestRetryInOrder(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.add(t, "scoring", "web", "good", "poison", "panic", "away", "gone", "fine")
	ctx := as(t, identity.Admin)
	var all []*leadpactv1.Retried
	for req := (&leadpactv1.RetryQuarantinedRequest{Source: "web", Limit: 2, DryRun: true}); ; {
		resp, err := h.RetryQuarantined(ctx, req)
		must(t, err)
		all = append(all, resp.GetRows()...)
		if req.PageToken = resp.GetNextPageToken(); req.GetPageToken() == "" {
			break
		}
	}
	const want = "applied web-0-good, kept web-1-poison, kept web-2-panic, later web-3-away, gone web-4-gone, applied web-5-fine"
	if got := outcomes(all); got != want {
		t.Errorf("dry: %s", got)
	}
	if got := h.waits(t, "scoring"); got != "web-0-good(1) web-1-poison(1) web-2-panic(1) web-3-away(1) web-4-gone(1) web-5-fine(1)" {
		t.Errorf("after a dry run there wait %s", got)
	}
	resp, err := h.RetryQuarantined(ctx, &leadpactv1.RetryQuarantinedRequest{All: true})
	must(t, err)
	if got := outcomes(resp.GetRows()); got != want || resp.GetNextPageToken() != "" {
		t.Errorf("retried: %s", got)
	}
	if got := h.waits(t, "scoring"); got != "web-1-poison(2) web-2-panic(2) web-3-away(1) web-4-gone(1)" {
		t.Errorf("there wait %s", got)
	}
	row, err := h.stores["scoring"].Quarantined(t.Context(), "web-1-poison")
	must(t, err)
	if row.Reason != "still poison" || row.TriedAt.IsZero() {
		t.Errorf("what stays is %+v", row)
	}
	first := resp.GetRows()[0]
	if len(first.GetEvents()) != 1 || first.GetEvents()[0].GetStages()[0] != "mql" || first.GetService() != "scoring" || !first.GetAt().AsTime().Equal(start) {
		t.Errorf("told %v", first)
	}
	if r := resp.GetRows()[1]; r.GetReason() != "still poison" || len(r.GetEvents()) != 1 {
		t.Errorf("told %v", r)
	}
	if strings.Contains(h.log.String(), "hunter2") {
		t.Error("the log repeats what a panic said")
	}
	// By key, in order of arrival, each once.
	h.tried = nil
	resp, err = h.RetryQuarantined(ctx, &leadpactv1.RetryQuarantinedRequest{Keys: []string{"web-2-panic", "web-1-poison", "web-2-panic", "nothing"}})
	must(t, err)
	if got := outcomes(resp.GetRows()); got != "gone nothing, kept web-1-poison, kept web-2-panic" || len(h.tried) != 2 {
		t.Errorf("by key: %s", got)
	}
}

// An answer stays small enough to be taken, whatever stays; what comes behind it is told, each row once.
func TestRetryLargeRows(t *testing.T) {
	t.Parallel()
	for raw, page := range map[string]int{"many": 2, "wide": 3} {
		for _, named := range []bool{false, true} {
			h := newHouse(t)
			raws := append(slices.Repeat([]string{raw}, 7), "good", raw, raw, raw, "good")
			h.add(t, "scoring", "web", raws...)
			req := &leadpactv1.RetryQuarantinedRequest{Source: "web"}
			var keys, told []string
			for i, raw := range raws {
				keys = append(keys, fmt.Sprintf("web-%d-%s", i, raw))
			}
			if named {
				req = &leadpactv1.RetryQuarantinedRequest{Keys: append([]string{"nothing"}, keys...)}
				keys = append([]string{"nothing"}, keys...)
			}
			for range keys {
				resp, err := h.RetryQuarantined(as(t, identity.Admin), req)
				must(t, err)
				large := 0
				for _, row := range resp.GetRows() {
					told = append(told, row.GetKey())
					if row.GetOutcome() == "kept" {
						large++
					}
				}
				if large > page || proto.Size(resp) > 2<<20 {
					t.Errorf("%s, named %t: a page of %d large rows, %d bytes", raw, named, large, proto.Size(resp))
				}
				if req.PageToken = resp.GetNextPageToken(); req.GetPageToken() == "" {
					break
				}
			}
			if !slices.Equal(told, keys) || len(h.tried) != len(raws) {
				t.Errorf("%s, named %t: told %v, tried %v", raw, named, told, h.tried)
			}
		}
	}
	h := newHouse(t)
	_, err := h.RetryQuarantined(as(t, identity.Admin), &leadpactv1.RetryQuarantinedRequest{Keys: []string{"a"}, PageToken: "x"})
	fails(t, err, codes.InvalidArgument, "page_token")
}

const title = `title: Another
version: "1"
parties: {marketing: M, sales: S}
sources: {web: {format: json, verify: {bearer: env:T}}}
stages:
  - {name: new}
  - {name: mql, when: score >= 0}
  - {name: won, when: did("won") >= 1, final: true}
  - {name: lost, when: did("lost") >= 1, final: true}
handoff: {at: mql, routes: [{pool: p}], unassigned: {within: 1h, calendar: always}}
pools: {p: {teams: [t]}}
clocks: [{name: c, within: 1h, calendar: always, stops_on: [accepted], on_breach: reassign}]
`

func TestRetryUnderAnotherText(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.add(t, "scoring", "web", "good")
	ctx := as(t, identity.Admin)
	resp, err := h.RetryQuarantined(ctx, &leadpactv1.RetryQuarantinedRequest{All: true, DryRun: true, Agreement: []byte(title)})
	must(t, err)
	if resp.GetRows()[0].GetEvents()[0].GetKind() != "Another" {
		t.Errorf("tried under %v", resp)
	}
	_, err = h.RetryQuarantined(ctx, &leadpactv1.RetryQuarantinedRequest{All: true, Agreement: []byte(title)})
	fails(t, err, codes.InvalidArgument, "only be tried dry")
	_, err = h.RetryQuarantined(ctx, &leadpactv1.RetryQuarantinedRequest{All: true, DryRun: true, Agreement: []byte("title: x\n")})
	fails(t, err, codes.InvalidArgument, "agreement:1:")
	for _, req := range []*leadpactv1.RetryQuarantinedRequest{
		{}, {All: true, Source: "web"}, {Keys: []string{"a"}, All: true}, {Keys: make([]string, 101)}, {All: true, Limit: 101}, {All: true, Limit: -1},
	} {
		_, err = h.RetryQuarantined(ctx, req)
		fails(t, err, codes.InvalidArgument, "")
	}
	if h.waits(t, "scoring") != "web-0-good(1)" {
		t.Error("something was retried")
	}
}

func TestDrop(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.add(t, "scoring", "web", "a", "b", "c")
	h.add(t, "scoring", "crm", "d")
	h.add(t, "compliance", "web", "e")
	ctx := as(t, identity.Admin)
	drop := func(want int64, req *leadpactv1.DropQuarantinedRequest) {
		t.Helper()
		resp, err := h.DropQuarantined(ctx, req)
		must(t, err)
		if resp.GetDropped() != want {
			t.Errorf("dropped %d, want %d", resp.GetDropped(), want)
		}
	}
	drop(1, &leadpactv1.DropQuarantinedRequest{Keys: []string{"web-1-b", "nothing"}})
	drop(0, &leadpactv1.DropQuarantinedRequest{Keys: []string{"web-1-b"}})
	drop(2, &leadpactv1.DropQuarantinedRequest{Source: "web", Service: "scoring"})
	if got := h.waits(t, "scoring") + "; " + h.waits(t, "compliance"); got != "crm-0-d(1); web-0-e(1)" {
		t.Errorf("there wait %s", got)
	}
	_, err := h.DropQuarantined(ctx, &leadpactv1.DropQuarantinedRequest{})
	fails(t, err, codes.InvalidArgument, "name the keys")
	drop(2, &leadpactv1.DropQuarantinedRequest{All: true})
	if !strings.Contains(h.log.String(), "dropped from quarantine") {
		t.Error("nobody can tell who dropped what")
	}
}

// consumer takes events in as poison says, and counts them.
type consumer struct {
	err     error
	applied int
}

func (c *consumer) Apply(_ context.Context, _ int, events []*eventv1.Event) error {
	if c.err == nil {
		c.applied += len(events)
	}
	return c.err
}

func (c *consumer) Check(context.Context, []*eventv1.Event) error { return c.err }

func TestAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	raw, err := proto.Marshal(&eventv1.Event{Id: "1", Lead: "l", Body: &eventv1.Event_LeadErased{LeadErased: &eventv1.LeadErased{}}})
	must(t, err)
	h.add(t, "scoring", "web", string(raw), "\xff")
	rows, err := h.stores["scoring"].ListQuarantined(t.Context(), store.Search{Limit: 9})
	must(t, err)
	c := &consumer{err: bus.Permanent(errors.New("no"))}
	again := quarantine.Again(h.stores["scoring"], c)
	row, err := h.stores["scoring"].Quarantined(t.Context(), rows[0].Key)
	must(t, err)
	garbage, err := h.stores["scoring"].Quarantined(t.Context(), rows[1].Key)
	must(t, err)
	for _, dry := range []bool{true, false} {
		if v, err := again(t.Context(), row, quarantine.Trial{Dry: dry}); !bus.IsPermanent(err) {
			t.Errorf("poison: %+v, %v", v, err)
		}
		if v, err := again(t.Context(), garbage, quarantine.Trial{Dry: dry}); !bus.IsPermanent(err) {
			t.Errorf("garbage: %+v, %v", v, err)
		}
	}
	c.err = errors.New("away")
	if v, err := again(t.Context(), row, quarantine.Trial{}); err == nil || bus.IsPermanent(err) {
		t.Errorf("away: %+v, %v", v, err)
	}
	c.err = nil
	v, err := again(t.Context(), row, quarantine.Trial{Dry: true})
	must(t, err)
	if v.Outcome != quarantine.Applied || len(v.Events) != 1 || v.Events[0].Kind != "lead.erased" || v.Events[0].Lead != "l" || c.applied != 0 {
		t.Errorf("dry: %+v, %d applied", v, c.applied)
	}
	if v, err := again(t.Context(), row, quarantine.Trial{}); err != nil || v.Outcome != quarantine.Applied || c.applied != 1 {
		t.Errorf("applied: %+v, %v", v, err)
	}
	if rows, err := h.stores["scoring"].ListQuarantined(t.Context(), store.Search{Limit: 9}); err != nil || len(rows) != 1 {
		t.Errorf("there wait %v, %v", rows, err)
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	t.Parallel()
	for name, rooms := range map[string]map[string]quarantine.Room{"no rooms": nil, "an empty room": {"scoring": {}}} {
		if _, err := quarantine.New(rooms, slog.Default()); err == nil {
			t.Error(name)
		}
	}
}
