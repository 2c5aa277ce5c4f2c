package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// canaries fills each text with its own path, so that whatever is left of it is found again.
type canaries struct {
	kind string // stands in fields called kind, when it is set
	seen map[string]bool
	arms int
}

func (c *canaries) text(path string) string {
	if c.kind != "" && path == ".kind" {
		return c.kind
	}
	c.seen[path] = true
	return "<" + path + ">"
}
func (*canaries) number(string) int64       { return 1 }
func (*canaries) flag(string) bool          { return true }
func (c *canaries) arm(_ string, n int) int { return c.arms % n }

// envelope are the ids that every line may hold.
func envelope() []string { return []string{"agreement", "cause", "id", "lead", "source"} }

func clockWords(more ...string) []string {
	terms := ".clock.terms."
	return append(more, ".clock.calendar", ".clock.id", ".clock.name", ".clock.tzdata",
		terms+"assignment", terms+"channel", terms+"grade", terms+"pool", terms+"rep", terms+"team")
}

func terms(more ...string) []string {
	for _, name := range []string{"assignment", "channel", "grade", "pool", "rep", "team"} {
		more = append(more, ".terms."+name)
	}
	return more
}

// kept says, for each type, which texts a line of the ledger holds beside the envelope's. A field that is new in the contract is
// in none of these lists until somebody has decided that it cannot name a person.
func kept() map[string][]string {
	return map[string][]string{
		"lead.received":       {".channel", ".kind", ".outcome.kind", ".outcome.rep"},
		"lead.activity":       {".assignment", ".kind", ".rep"},
		"lead.staged":         {".actor", ".channel", ".first_source", ".from", ".grade", ".reasons.rule", ".rep", ".to", ".withheld"},
		"lead.outcome":        {".channel", ".outcome.kind", ".outcome.rep", ".source"},
		"lead.merged":         {".absorbed", ".survivor"},
		"lead.erased":         {},
		"hook.refused":        {},
		"handoff.started":     terms(".stage"),
		"handoff.waiting":     terms(".reason"),
		"handoff.assigned":    terms(),
		"handoff.released":    terms(".reason"),
		"handoff.closed":      terms(".result"),
		"clock.started":       clockWords(),
		"clock.warned":        clockWords(),
		"clock.met":           clockWords(".by"),
		"clock.breached":      clockWords(".remedy"),
		"clock.cancelled":     clockWords(".reason"),
		"clock.corrected":     clockWords(".by", ".source"),
		"agreement.activated": {".actor", ".hash"},
		"roster.changed":      {".actor", ".hash", ".people"},
	}
}

func TestLineHoldsNoPersonalData(t *testing.T) {
	t.Parallel()
	want := kept()
	for _, body := range bodies() {
		for arm := range 3 { // a profile field's value is a text in one arm alone
			c := &canaries{seen: map[string]bool{}, arms: arm}
			e := fill(body, c)
			typ := event.Type(e)
			allowed, ok := want[typ]
			if !ok {
				t.Fatalf("%s: say in kept() which of its texts the ledger may hold", typ)
			}
			left := found(lineOf(t, e), c.seen)
			allowed = append(allowed, envelope()...)
			if typ == "lead.received" { // an outside sender's id may name anybody
				allowed = slices.DeleteFunc(allowed, func(path string) bool { return path == "id" })
			}
			if diff := cmp.Diff(sorted(allowed), left, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: the line does not hold what it should (-want +got):\n%s", typ, diff)
			}
		}
	}
}

func TestLineKeepsReasonsThatTheAgreementLists(t *testing.T) {
	t.Parallel()
	for _, body := range bodies() {
		if body.Name() != "lead_activity" {
			continue
		}
		c := &canaries{seen: map[string]bool{}, kind: rejected}
		left := found(lineOf(t, fill(body, c)), c.seen)
		if !slices.Contains(left, ".reason") {
			t.Errorf("the reason of a rejection is gone; left: %v", left)
		}
	}
}

// found are the canaries that are still somewhere in the entry.
func found(line store.Entry, seen map[string]bool) []string {
	all := bytes.Join([][]byte{line.Data, []byte(line.Source), []byte(line.EventID), []byte(line.Type), []byte(line.Lead)}, []byte("\n"))
	var out []string
	for path := range seen {
		if bytes.Contains(all, []byte("<"+path+">")) {
			out = append(out, path)
		}
	}
	return sorted(out)
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

func TestLineSaysWhatTheEventSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent(t)
		before := proto.CloneOf(e)
		line := lineOf(t, e)
		if !proto.Equal(before, e) {
			t.Fatal("the event itself was changed")
		}
		again := lineOf(t, e)
		if diff := cmp.Diff(line, again); diff != "" {
			t.Fatalf("two lines of one event differ:\n%s", diff)
		}
		var back eventv1.Event
		if err := proto.Unmarshal(line.Data, &back); err != nil {
			t.Fatal(err)
		}
		second := lineOf(t, &back)
		if diff := cmp.Diff(line, second); diff != "" {
			t.Fatalf("a line of what a line holds differs:\n%s", diff)
		}
		// What a recount over the ledger's lines relies on.
		if diff := cmp.Diff(Judge(e), Judge(&back)); diff != "" {
			t.Fatalf("the ledger's line is judged otherwise than the event:\n%s", diff)
		}
		if line.Shard != Shard(e) || line.Shard < 0 || line.Shard >= Shards {
			t.Fatalf("shard %d", line.Shard)
		}
	})
}

func TestSameEventSameShard(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent(t)
		again := proto.CloneOf(e)
		again.RecordedAt++ // what may differ between two deliveries or two tellings
		again.Cause += "x"
		again.Agreement += "x"
		if a, b := Shard(e), Shard(again); a != b {
			t.Fatalf("shards %d and %d", a, b)
		}
		for _, d := range Judge(e).Tallies {
			if d.Shard != Shard(e) {
				t.Fatalf("tally %s %s is of shard %d, the event of %d", d.Name, d.Labels, d.Shard, Shard(e))
			}
		}
	})
}

func TestLineRefusesWhatCannotBeKept(t *testing.T) {
	t.Parallel()
	good := func() *eventv1.Event {
		return &eventv1.Event{
			Id: "1", Source: "web", Lead: "l",
			Body: &eventv1.Event_ClockStarted{ClockStarted: &eventv1.ClockStarted{Clock: &eventv1.Clock{Id: "l/1/1/call"}}},
		}
	}
	if _, err := Line(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*eventv1.Event){
		"no id":             func(e *eventv1.Event) { e.Id = "" },
		"no source":         func(e *eventv1.Event) { e.Source = "" },
		"no body":           func(e *eventv1.Event) { e.Body = nil },
		"NUL in the id":     func(e *eventv1.Event) { e.Id = "a\x00b" },
		"NUL in the source": func(e *eventv1.Event) { e.Source = "a\x00b" },
		"NUL in the lead":   func(e *eventv1.Event) { e.Lead = "a\x00b" },
		"NUL in the clock":  func(e *eventv1.Event) { e.GetClockStarted().Clock.Id = "a\x00b" },
		"no UTF-8":          func(e *eventv1.Event) { e.Id = "\xff" },
	} {
		e := good()
		spoil(e)
		if line, err := Line(e); err == nil {
			t.Errorf("%s: taken as %+v", name, line)
		}
	}
}

// chain is a shard with n lines.
func chain(t *rapid.T, n int) ([]store.Entry, store.Head) {
	shard := rapid.IntRange(0, Shards-1).Draw(t, "shard")
	head := store.Head{Shard: shard}
	var entries []store.Entry
	for range n {
		line := lineOf(t, anyEvent(t))
		line.Shard = shard
		line, head = Chain(head, line)
		entries = append(entries, line)
	}
	return entries, head
}

// follow goes through a shard as an auditor does.
func follow(entries []store.Entry, stored store.Head) error {
	head := store.Head{Shard: stored.Shard}
	for _, e := range entries {
		var err error
		if head, err = Follow(head, e); err != nil {
			return err
		}
	}
	if head.Seq != stored.Seq || !bytes.Equal(head.Hash, stored.Hash) {
		return fmt.Errorf("the lines end at %d and the shard at %d", head.Seq, stored.Seq)
	}
	return nil
}

// tampers change one line so that it says another thing.
func tampers() map[string]func(*store.Entry) {
	return map[string]func(*store.Entry){
		"shard":       func(e *store.Entry) { e.Shard = (e.Shard + 1) % Shards },
		"seq":         func(e *store.Entry) { e.Seq++ },
		"source":      func(e *store.Entry) { e.Source += "x" },
		"event id":    func(e *store.Entry) { e.EventID += "x" },
		"type":        func(e *store.Entry) { e.Type = "clock.met!" },
		"lead":        func(e *store.Entry) { e.Lead += "x" },
		"occurred at": func(e *store.Entry) { e.OccurredAt = e.OccurredAt.Add(time.Microsecond) },
		"recorded at": func(e *store.Entry) { e.RecordedAt = e.RecordedAt.Add(-time.Microsecond) },
		"history":     func(e *store.Entry) { e.History = !e.History },
		"data":        func(e *store.Entry) { e.Data = append(slices.Clone(e.Data), 0) },
		"data's bit":  func(e *store.Entry) { e.Data = slices.Clone(e.Data); e.Data[0] ^= 1 },
		"hash":        func(e *store.Entry) { e.Hash = slices.Clone(e.Hash); e.Hash[7] ^= 1 },
		// A letter that moves over a border between two parts leaves the joined bytes as they were.
		"border": func(e *store.Entry) { e.EventID, e.Source = e.EventID[1:], e.Source+e.EventID[:1] },
	}
}

func TestChainShowsEveryChange(t *testing.T) {
	t.Parallel()
	names := make([]string, 0, len(tampers()))
	for name := range tampers() {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "lines")
		entries, head := chain(t, n)
		if err := follow(entries, head); err != nil {
			t.Fatalf("untouched: %v", err)
		}
		at := rapid.IntRange(0, n-1).Draw(t, "at")
		for _, name := range names {
			changed := slices.Clone(entries)
			tampers()[name](&changed[at])
			if err := follow(changed, head); err == nil {
				t.Fatalf("%s of line %d was changed and nobody saw it", name, at)
			}
			// Whoever rewrites the line's hash too is found by the next line, or by the shard's head.
			previous := store.Head{Shard: head.Shard}
			if at > 0 {
				previous = store.Head{Shard: head.Shard, Seq: entries[at-1].Seq, Hash: entries[at-1].Hash}
			}
			if name == "hash" {
				continue
			}
			changed[at].Hash = Hash(previous.Hash, changed[at])
			if err := follow(changed, head); err == nil {
				t.Fatalf("%s of line %d was changed with its hash and nobody saw it", name, at)
			}
		}
		if err := follow(slices.Delete(slices.Clone(entries), at, at+1), head); err == nil {
			t.Fatalf("line %d was deleted and nobody saw it", at)
		}
		if err := follow(slices.Insert(slices.Clone(entries), at, entries[at]), head); err == nil {
			t.Fatalf("line %d was doubled and nobody saw it", at)
		}
		if err := follow(entries[:at], head); err == nil {
			t.Fatalf("lines from %d on were cut off and nobody saw it", at)
		}
		other := rapid.IntRange(0, n-1).Filter(func(i int) bool { return i != at }).Draw(t, "other")
		swapped := slices.Clone(entries)
		swapped[at], swapped[other] = swapped[other], swapped[at]
		if err := follow(swapped, head); err == nil {
			t.Fatalf("lines %d and %d were swapped and nobody saw it", at, other)
		}
		swapped[at].Seq, swapped[other].Seq = swapped[other].Seq, swapped[at].Seq
		if err := follow(swapped, head); err == nil {
			t.Fatalf("lines %d and %d were swapped with their numbers and nobody saw it", at, other)
		}
	})
}

func TestHashIsTheSameForEver(t *testing.T) {
	t.Parallel()
	// The chain of an installation must verify under every later version of the program.
	e := store.Entry{
		Shard: 3, Seq: 7, Source: "handoff", EventID: "e1", Type: "clock.breached", Lead: "l1",
		OccurredAt: time.UnixMicro(1_700_000_000_000_001).UTC(), RecordedAt: time.UnixMicro(1_700_000_000_000_002).UTC(),
		History: true, Data: []byte("data"),
	}
	const want = "f03b671f9628389c033af388fb56a2e5f52e5e9c072dae3dc3c9c9a5d6d1ee98"
	if got := fmt.Sprintf("%x", Hash([]byte("before"), e)); got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
}

func FuzzParseLabels(f *testing.F) {
	for _, seed := range []string{"", "a=1,b=2", "a=%2C%3D%25", "=,=,", "%", strings.Repeat("a=b,", 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, value := range ParseLabels(s) { // of any text: no panic, and values that can be written again
			if got := ParseLabels(Labels(name, value)); !strings.ContainsAny(name, ",=%") && got[name] != value {
				t.Errorf("%q=%q comes back as %q", name, value, got[name])
			}
		}
	})
}

func TestAnOutsideIDIsADigest(t *testing.T) {
	t.Parallel()
	outside := &eventv1.Event{Source: "form", Id: "ana@example.com", Body: &eventv1.Event_LeadReceived{LeadReceived: &eventv1.LeadReceived{}}}
	digest := ID(outside)
	if !digested(digest) || digest != ID(outside) {
		t.Fatalf("the digest is %q", digest)
	}
	other := &eventv1.Event{Source: "crm", Id: outside.GetId(), Body: outside.GetBody()}
	if ID(other) == digest {
		t.Error("two sources' events have one id")
	}
	line := lineOf(t, outside)
	var kept eventv1.Event
	if err := proto.Unmarshal(line.Data, &kept); err != nil {
		t.Fatal(err)
	}
	if line.EventID != digest || kept.GetId() != digest || ID(&kept) != digest || Shard(&kept) != Shard(outside) {
		t.Errorf("stored as %q and %q, read back as %q in shard %d, want %q in %d", line.EventID, kept.GetId(), ID(&kept), Shard(&kept), digest, Shard(outside))
	}
	if ours := (&eventv1.Event{Source: "handoff", Id: "a/1/1", Body: &eventv1.Event_HandoffStarted{}}); ID(ours) != "a/1/1" {
		t.Error("an id of ours was changed")
	}
}
