package scoring_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/quarantine"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/scoring"
)

// refused is a webhook of web that the door could not take in, n hours after start.
func refused(body string, n int, places ...uint32) *eventv1.Event {
	digest := hook.Digest("web", []byte(body))
	at := received("", "", "", n).GetRecordedAt()
	return &eventv1.Event{
		Id: event.DerivedID("hook.refused", "web", hex.EncodeToString(digest)), Source: "web", OccurredAt: at, RecordedAt: at,
		Mode: eventv1.Mode_MODE_LIVE, Agreement: "the first",
		Body: &eventv1.Event_HookRefused{HookRefused: &eventv1.HookRefused{
			Body: []byte(body), Digest: digest, Reason: "the event names nobody", Refused: places,
			Headers: []*eventv1.Header{{Name: "Content-Type", Value: "application/json"}},
		}},
	}
}

func keyOf(body string) string { return hex.EncodeToString(hook.Digest("web", []byte(body))) }

// mended reads the address where the sender writes it.
func mended() []string {
	return []string{"    channel: organic\n", "    channel: organic\n    map: {email: person.mail, kind: what}\n"}
}

func (r *rig) waiting(t *testing.T) []store.Quarantined {
	t.Helper()
	rows, err := r.store.ListQuarantined(t.Context(), store.Search{Limit: 100})
	must(t, err)
	return rows
}

// retry tries a row again that must wait.
func (r *rig) retry(t *testing.T, key string, trial quarantine.Trial) (quarantine.Verdict, error) {
	t.Helper()
	row, err := r.store.Quarantined(t.Context(), key)
	must(t, err)
	return r.Retry(t.Context(), row, trial)
}

// inShort writes a verdict as "applied: duplicate e1, applied e2 > new mql".
func inShort(v quarantine.Verdict) string {
	var events []string
	for _, e := range v.Events {
		text := e.Result + " " + e.ID
		if len(e.Stages) > 0 {
			text += " > " + strings.Join(e.Stages, " ")
		}
		events = append(events, text)
	}
	return string(v.Outcome) + ": " + strings.Join(events, ", ")
}

func TestRefusedHooksAreKeptOnce(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		const body = `{"name":"Ada"}`
		r.apply(t, refused(body, 0), received("1", "ada@example.com", "visit", 0), refused(`{"name":"Bob"}`, 1, 3))
		r.apply(t, refused(body, 2))
		r.apply(t, refused(body, 3))
		rows := r.waiting(t)
		if len(rows) != 2 {
			t.Fatalf("%d rows wait", len(rows))
		}
		row := rows[0]
		if row.Key != keyOf(body) || row.Kind != store.RefusedHook || row.Source != "web" || row.Attempts != 3 || row.Agreement != "the first" ||
			row.Reason != "the event names nobody" || row.At != event.Time(refused(body, 0).GetRecordedAt()) || row.Size != int64(len(body)) {
			t.Errorf("the row is %+v", row)
		}
		if got := words(r.told(t)); got != "staged 1.1 new" {
			t.Errorf("beside it was told %s", got)
		}
		// Without an agreement leads wait, and what no agreement is needed for does not.
		r.versions.active.Store(nil)
		r.apply(t, refused(`{"name":"Cy"}`, 4))
		if n := len(r.waiting(t)); n != 3 {
			t.Errorf("%d rows wait", n)
		}
		broken := refused(body, 0)
		broken.GetHookRefused().Digest = []byte("short")
		if err := r.Apply(t.Context(), 0, []*eventv1.Event{broken}); !bus.IsPermanent(err) {
			t.Errorf("one without a digest: %v", err)
		}
	})
}

// Two webhooks with the same body are two rows when their headers name two events.
func TestRefusedHooksAreKeptByTheirHeaders(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		with := func(id string) *eventv1.Event {
			e := refused(`{}`, 0)
			h := e.GetHookRefused()
			h.Headers = append(h.Headers, &eventv1.Header{Name: "Ce-Id", Value: id})
			e.Id = event.DerivedID("hook.refused", "web", hook.RefusedKey(h))
			return e
		}
		r.apply(t, with("1"), with("2"), with("1"))
		attempts := map[string]int{}
		for _, row := range r.waiting(t) {
			attempts[row.EventID] = row.Attempts
		}
		if len(attempts) != 2 || attempts[with("1").GetId()] != 2 || attempts[with("2").GetId()] != 1 {
			t.Errorf("the rows are %v", attempts)
		}
	})
}

func TestQuarantineIsBounded(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		s := open(t)
		r := newRig(t, s, func(c *scoring.Config) { c.Quarantine = store.Bound{Rows: 2, Bytes: 1000} })
		r.apply(t, received("1", "ada@example.com", "visit", 0)) // the counters begin
		for i := range 4 {
			r.apply(t, refused(fmt.Sprintf(`{"n":%d}`, i), i))
		}
		r.apply(t, refused(`{"n":0}`, 9))
		rows := r.waiting(t)
		if len(rows) != 2 || rows[0].Key != keyOf(`{"n":0}`) || rows[0].Attempts != 2 || rows[1].Key != keyOf(`{"n":1}`) {
			t.Errorf("there wait %+v", rows)
		}
		if n := r.counted(t, "leadpact_quarantine_overflow_total", "web"); n != 2 {
			t.Errorf("%v are counted", n)
		}
		if n := r.counted(t, "leadpact_quarantine_overflow_total", "crm"); n != 0 {
			t.Errorf("%v of another source are counted", n)
		}
	})
}

// A mapping is mended: it is tried on what waits, then what waits is taken in, as if the door had read it when it came.
func TestRetryWithAnotherMapping(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		bodies := []string{
			`{"person":{"mail":"ada@example.com"},"what":"form","size":250}`, `{"id":"e2","person":{"mail":"ada@example.com"},"what":"form"}`,
			`{"id":"e3","person":{"mail":"nobody"},"what":"form"}`, `{`,
		}
		for i, body := range bodies {
			r.apply(t, refused(body, i))
		}
		before := r.digest(t)
		if v, err := r.retry(t, keyOf(bodies[0]), quarantine.Trial{}); !bus.IsPermanent(err) || len(v.Events) != 1 || v.Events[0].Result != "refused" {
			t.Errorf("under the same mapping: %s, %v", inShort(v), err)
		}
		first := r.versions.active.Load()
		r.versions.activate(t, mended()...)
		second := r.versions.active.Load()
		r.versions.active.Store(first)

		v, err := r.retry(t, keyOf(bodies[0]), quarantine.Trial{Dry: true, Agreement: second})
		if err != nil || inShort(v) != "applied: applied "+keyOf(bodies[0])+" > new mql" || v.Events[0].Lead == "" || v.Events[0].Kind != "form" {
			t.Errorf("dry: %s, %v", inShort(v), err)
		}
		if len(r.waiting(t)) != 4 || r.digest(t) != before || len(r.told(t)) != 0 {
			t.Error("a dry run changed something")
		}
		r.versions.active.Store(second)
		lead := v.Events[0].Lead
		v, err = r.retry(t, keyOf(bodies[0]), quarantine.Trial{})
		if err != nil || inShort(v) != "applied: applied "+keyOf(bodies[0])+" > new mql" || v.Events[0].Lead != lead {
			t.Errorf("then: %s, %v", inShort(v), err)
		}
		told := r.told(t)
		if got := words(about(told, lead)); got != "staged 1.1 new, staged 1.2 mql!" {
			t.Errorf("told %s", got)
		}
		heard := about(told, "")
		if len(heard) != 1 || heard[0].GetLeadReceived().GetKind() != "form" || heard[0].GetLeadReceived().GetEmail() != "" || heard[0].GetSource() != "web" ||
			heard[0].GetId() != keyOf(bodies[0]) || heard[0].GetRecordedAt() != refused("", 0).GetRecordedAt() {
			t.Errorf("the ledger hears %v", heard)
		}
		if v, err := r.retry(t, keyOf(bodies[1]), quarantine.Trial{}); err != nil || inShort(v) != "applied: applied e2" || v.Events[0].Lead != lead {
			t.Errorf("the second: %s, %v", inShort(v), err)
		}
		for _, body := range bodies[2:] {
			if v, err := r.retry(t, keyOf(body), quarantine.Trial{}); !bus.IsPermanent(err) {
				t.Errorf("%s: %s, %v", body, inShort(v), err)
			}
		}
		if rows := r.waiting(t); len(rows) != 2 || rows[0].Key != keyOf(bodies[2]) {
			t.Errorf("there wait %+v", rows)
		}
		// The sender sends it once more, and the door takes it now: it is the same fact.
		after := r.digest(t)
		s, _ := second.Source("web")
		for i, body := range bodies[:2] {
			again := refused(body, 7)
			read, err := hook.New(second, s).Read(&hook.Request{Method: "POST", Header: map[string][]string{"Content-Type": {"application/json"}}, Body: []byte(body)}, start)
			if err != nil || len(read.Events) != 1 {
				t.Fatal(i, read, err)
			}
			r.apply(t, read.Events[0].Event)
			r.apply(t, again) // and what the door had refused comes late
			if v, err := r.retry(t, keyOf(body), quarantine.Trial{}); err != nil || v.Events[0].Result != "duplicate" {
				t.Errorf("late: %s, %v", inShort(v), err)
			}
		}
		if r.digest(t) != after || r.counted(t, "leadpact_scoring_facts_total", "applied") != 2 || len(about(r.told(t), lead)) != 0 {
			t.Error("a lead is counted twice")
		}
	})
}

// Of a batch only what was refused is tried; what is refused again waits on.
func TestRetryOfAPart(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		const body = `[{"id":"a","email":"ada@example.com","person":{"mail":"other@example.com"}},{"id":"b","person":{"mail":"bob@example.com"}},
			{"id":"c","person":{"mail":"cy@example.com"},"what":"form","size":"many"},{"id":"d"}]`
		r.apply(t, refused(body, 0, 1, 2, 3))
		r.versions.activate(t, mended()...)
		v, err := r.retry(t, keyOf(body), quarantine.Trial{})
		if err != nil || inShort(v) != "kept: applied b > new, refused c, refused d" || !strings.HasPrefix(v.Reason, "2 of 3 events, the first: field \"size\"") {
			t.Fatalf("%s, %q, %v", inShort(v), v.Reason, err)
		}
		row, err := r.store.Quarantined(t.Context(), keyOf(body))
		must(t, err)
		var e eventv1.Event
		must(t, proto.Unmarshal(row.Hook, &e))
		if got := fmt.Sprint(e.GetHookRefused().GetRefused()); got != "[2 3]" || row.Attempts != 2 || row.TriedAt.IsZero() || row.Reason != v.Reason || string(row.Raw) != body {
			t.Errorf("what waits on is %+v, places %s", row, got)
		}
		r.versions.activate(t, append(mended(), "  size: {type: number, precedence: [crm]}", "  size: text", "lead.size >= 100", `lead.size == "many"`)...)
		if v, err = r.retry(t, keyOf(body), quarantine.Trial{}); err != nil || inShort(v) != "kept: applied c > new mql, refused d" {
			t.Fatalf("%s, %q, %v", inShort(v), v.Reason, err)
		}
		// Under a mapping that finds fewer events nobody can say what became of the others.
		r.versions.activate(t, "    channel: organic\n", "    channel: organic\n    map: {events: none}\n")
		if v, err = r.retry(t, keyOf(body), quarantine.Trial{}); !bus.IsPermanent(err) {
			t.Errorf("%s, %v", inShort(v), err)
		}
		// The sender's own id of another event: the first stands, and this one waits on.
		const other = `[{"email":"eve@example.com","id":"b"}]`
		r.apply(t, refused(other, 0))
		r.versions.activate(t)
		if v, err = r.retry(t, keyOf(other), quarantine.Trial{}); err != nil || inShort(v) != "kept: conflict b" || !strings.Contains(v.Reason, "another content") {
			t.Errorf("%s, %q, %v", inShort(v), v.Reason, err)
		}
	})
}

// cut is a store whose process ends before it commits.
type cut struct {
	store.Scoring
	ended bool
}

var errKilled = errors.New("killed")

func (c *cut) Update(ctx context.Context, f func(ctx context.Context, tx store.ScoringTx) error) error {
	if c.ended {
		return c.Scoring.Update(ctx, f)
	}
	return c.Scoring.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error {
		if err := f(ctx, tx); err != nil {
			return err
		}
		return errKilled
	})
}

// A process that ends in the middle of a retry leaves everything as it was; the next one does it whole.
func TestRetryIsWholeOrNothing(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		s := open(t)
		const body = `{"email":"ada@example.com","type":"form","size":250}`
		newRig(t, s).apply(t, refused(body, 0))
		c := &cut{Scoring: s}
		r := newRig(t, c)
		before := r.digest(t)
		if v, err := r.retry(t, keyOf(body), quarantine.Trial{}); !errors.Is(err, errKilled) || bus.IsPermanent(err) {
			t.Errorf("%s, %v", inShort(v), err)
		}
		if len(r.waiting(t)) != 1 || r.digest(t) != before || len(r.told(t)) != 0 || r.kicks.Load() != 0 {
			t.Error("half a retry is left")
		}
		c.ended = true
		if v, err := r.retry(t, keyOf(body), quarantine.Trial{}); err != nil || inShort(v) != "applied: applied "+keyOf(body)+" > new mql" {
			t.Errorf("%s, %v", inShort(v), err)
		}
		if len(r.waiting(t)) != 0 || len(r.told(t)) != 3 || r.kicks.Load() == 0 {
			t.Error("the whole was not done")
		}
	})
}

// Two who retry the same row at the same time: one does it, the other finds it gone or finds nothing new.
func TestRetryTwice(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		const body = `{"email":"ada@example.com","type":"form"}`
		r.apply(t, refused(body, 0))
		row, err := r.store.Quarantined(t.Context(), keyOf(body))
		must(t, err)
		for _, want := range []string{"applied: applied " + keyOf(body) + " > new", "gone: "} {
			if v, err := r.Retry(t.Context(), row, quarantine.Trial{}); err != nil || inShort(v) != want {
				t.Errorf("%s, %v; want %s", inShort(v), err, want)
			}
		}
		if told := r.told(t); len(told) != 2 {
			t.Errorf("told %s", words(told))
		}
	})
}

// A webhook that tells of no more than an id leaves word of what must be fetched, as it would have at the door.
func TestRetryFetches(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.versions.activate(t, "  crm:\n", "  hub: {preset: hubspot-app, secret: env:HUB, fetch: {token: env:HUB_TOKEN}}\n  crm:\n")
		const body = `[{"eventId":1,"subscriptionId":2,"portalId":3,"occurredAt":1772600000000,"subscriptionType":"contact.creation","objectId":9},
			{"eventId":2,"subscriptionId":2,"portalId":3,"occurredAt":1772600000000,"subscriptionType":"contact.deletion","objectId":8}]`
		e := refused(body, 0)
		e.Source, e.GetHookRefused().Digest = "hub", hook.Digest("hub", []byte(body))
		key := hex.EncodeToString(e.GetHookRefused().GetDigest())
		r.apply(t, e)
		if v, err := r.retry(t, key, quarantine.Trial{Dry: true}); err != nil || len(v.Events) != 1 || v.Skipped != 1 || len(r.errands) != 0 {
			t.Fatalf("dry: %+v, %d errands, %v", v, len(r.errands), err)
		}
		v, err := r.retry(t, key, quarantine.Trial{})
		if err != nil || v.Outcome != quarantine.Applied || v.Events[0].Result != "applied" {
			t.Fatalf("%+v, %v", v, err)
		}
		if len(r.errands) != 1 || r.errands[0].GetId() != v.Events[0].ID || r.errands[0].GetLeadReceived().GetExternalId() != "9" || r.errands[0].GetLeadReceived().GetFetch() == "" {
			t.Errorf("the errands are %v", r.errands)
		}
	})
}

// Poison of the bus is tried as the bus brought it.
func TestRetryOfPoison(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		good, bad := received("1", "ada@example.com", "form", 0), received("2", "", "form", 0)
		late := refused(`{"email":"bob@example.com"}`, 0)
		raw := func(m proto.Message) []byte {
			b, err := proto.Marshal(m)
			must(t, err)
			return b
		}
		must(t, r.Quarantine(t.Context(), []store.Quarantined{
			{Key: "good", Kind: store.PoisonEvent, Raw: raw(good), At: start}, {Key: "bad", Kind: store.PoisonEvent, Raw: raw(bad), At: start},
			{Key: "garbage", Kind: store.PoisonMessage, Raw: []byte("\xff"), At: start},
			{Key: "future", Kind: store.PoisonMessage, Raw: raw(&eventv1.Batch{Major: 9}), At: start},
			{Key: "message", Kind: store.PoisonMessage, Raw: raw(&eventv1.Batch{Major: event.Major, Events: []*eventv1.Event{good, late}}), At: start},
		}))
		if v, err := r.retry(t, "good", quarantine.Trial{}); err != nil || inShort(v) != "applied: applied 1 > new" {
			t.Errorf("good: %s, %v", inShort(v), err)
		}
		for _, key := range []string{"bad", "garbage", "future"} {
			if v, err := r.retry(t, key, quarantine.Trial{}); !bus.IsPermanent(err) {
				t.Errorf("%s: %s, %v", key, inShort(v), err)
			}
		}
		if v, err := r.retry(t, "message", quarantine.Trial{}); err != nil || inShort(v) != "applied: duplicate 1" {
			t.Errorf("a message: %s, %v", inShort(v), err)
		}
		var keys []string
		for _, row := range r.waiting(t) {
			keys = append(keys, row.Key)
		}
		if got := strings.Join(keys, " "); got != "bad future garbage "+keyOf(`{"email":"bob@example.com"}`) {
			t.Errorf("there wait %s", got)
		}
		if told := about(r.told(t), ""); len(told) != 0 { // the ledger heard of them when they came
			t.Errorf("the ledger hears %v", told)
		}
	})
}

// TestRetryUnderNoAgreement: it passes.
func TestRetryUnderNoAgreement(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		const body = `{"email":"ada@example.com"}`
		r.apply(t, refused(body, 0))
		r.versions.active.Store(nil)
		if v, err := r.retry(t, keyOf(body), quarantine.Trial{}); err == nil || bus.IsPermanent(err) {
			t.Errorf("%s, %v", inShort(v), err)
		}
		// The agreement names the source no more.
		r.versions.activate(t, "  web:\n", "  shop:\n", "precedence: [crm]", "precedence: [crm]")
		if v, err := r.retry(t, keyOf(body), quarantine.Trial{}); !bus.IsPermanent(err) || !strings.Contains(err.Error(), `no source "web"`) {
			t.Errorf("%s, %v", inShort(v), err)
		}
	})
}
