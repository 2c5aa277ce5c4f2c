package handoff_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// changes are the rosters that were told of.
func (w *world) changes() []*eventv1.RosterChanged {
	var out []*eventv1.RosterChanged
	for _, e := range w.events() {
		if r := e.GetRosterChanged(); r != nil {
			out = append(out, r)
		}
	}
	return out
}

// scheduled is another version of the agreement, which comes into force later.
func (w *world) scheduled(text string, in time.Duration) {
	w.t.Helper()
	a, faults := agreement.Parse("agreement.yaml", []byte(text))
	if len(faults) > 0 {
		w.t.Fatal(faults)
	}
	w.apply(&eventv1.Event{Id: a.Hash, Source: event.Compliance, Body: &eventv1.Event_AgreementActivated{
		AgreementActivated: &eventv1.AgreementActivated{Hash: a.Hash, Text: a.Text, ActiveFrom: event.Micros(w.now().Add(in)), Actor: "admin"},
	}})
}

// TestRosterChangesWhileItRuns: over gRPC, with its history, told by ids, and at work at once.
func TestRosterChangesWhileItRuns(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		admin := identity.With(t.Context(), identity.Person{ID: "dana", Role: identity.Admin})
		w.pass(time.Minute)
		w.apply(w.staged("a", 2000), w.staged("b", 2000)) // max has room for one
		if w.owner("a") != "max" || w.owner("b") != "" {
			t.Fatalf("a: %q, b: %q", w.owner("a"), w.owner("b"))
		}
		defer w.runsWaiting()()
		larger := strings.Replace(people, "max: {team: big, capacity: 1}", "max: {team: big, capacity: 2}", 1)
		answer, err := w.SetRoster(admin, &leadpactv1.SetRosterRequest{Text: []byte(strings.ReplaceAll(larger, "\n", "\r\n"))})
		if err != nil || len(answer.GetWarnings()) > 0 {
			t.Fatalf("%v, %v", answer, err)
		}
		w.until("max has room", func() bool { return w.owner("b") == "max" })
		if again, err := w.SetRoster(admin, &leadpactv1.SetRosterRequest{Text: []byte(larger)}); err != nil || again.GetRoster().GetVersion() != answer.GetRoster().GetVersion() {
			t.Errorf("the same again: %v, %v", again, err)
		}

		told := w.changes()
		if len(told) != 2 || told[0].GetVersion() >= told[1].GetVersion() || told[1].GetActor() != "dana" || told[1].GetHash() != answer.GetRoster().GetHash() ||
			!slices.Equal(told[1].GetPeople(), []string{"ann", "bob", "max", "mia"}) {
			t.Errorf("told %v", told)
		}
		list, err := w.ListRosters(admin, &leadpactv1.ListRostersRequest{})
		if err != nil || len(list.GetRosters()) != 2 || list.GetRosters()[0].GetActor() != "dana" || list.GetRosters()[1].GetActor() != "admin" ||
			!list.GetRosters()[0].GetAt().AsTime().Equal(monday.Add(time.Minute)) || list.GetRosters()[0].GetText() != nil {
			t.Errorf("the history: %v, %v", list, err)
		}
		for version, want := range map[int64]string{0: larger, told[0].GetVersion(): people} {
			got, err := w.GetRoster(admin, &leadpactv1.GetRosterRequest{Version: version})
			if err != nil || !bytes.Equal(got.GetRoster().GetText(), []byte(want)) {
				t.Errorf("roster %d: %v, %v", version, got, err)
			}
		}
	})
}

func TestRosterIsRefused(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		admin := identity.With(t.Context(), identity.Person{ID: "dana", Role: identity.Admin})
		manager := identity.With(t.Context(), identity.Person{ID: "mia", Role: identity.Manager})
		for text, want := range map[string]string{
			"reps: 1": "roster:1:",
			strings.Replace(people, "bob: {team: sales", "bob: {team: sails", 1): `no team is named "sails"`,
			strings.Replace(people, "max: {team: big", "max: {team: leads", 1):   `nobody works in the agreement's pool "big"`,
		} {
			if _, err := w.SetRoster(admin, &leadpactv1.SetRosterRequest{Text: []byte(text)}); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		good := []byte(people + "# another\n")
		for _, who := range []identity.Role{identity.Rep, identity.Manager} {
			ctx := identity.With(t.Context(), identity.Person{ID: "ann", Role: who})
			if _, err := w.SetRoster(ctx, &leadpactv1.SetRosterRequest{Text: good}); status.Code(err) != codes.PermissionDenied {
				t.Errorf("a %s changes the roster: %v", who, err)
			}
		}
		if _, err := w.ListRosters(as(t, "ann"), &leadpactv1.ListRostersRequest{}); status.Code(err) != codes.PermissionDenied {
			t.Errorf("a rep reads the history: %v", err)
		}
		if _, err := w.GetRoster(as(t, "ann"), &leadpactv1.GetRosterRequest{}); status.Code(err) != codes.PermissionDenied {
			t.Errorf("a rep reads when others are away: %v", err)
		}
		if _, err := w.GetRoster(manager, &leadpactv1.GetRosterRequest{Version: 1000}); status.Code(err) != codes.NotFound {
			t.Errorf("a roster that is not there: %v", err)
		}
		if _, err := w.ListRosters(manager, &leadpactv1.ListRostersRequest{Limit: 501}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("too many: %v", err)
		}
		if n := len(w.changes()); n != 1 {
			t.Errorf("%d changes were told, want the first alone", n)
		}
	})
}

// TestRosterIsCheckedAgainstWhatIsInForce: what does not fit a version that is scheduled is said, and the roster applies all the same.
func TestRosterIsCheckedAgainstWhatIsInForce(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		admin := identity.With(t.Context(), identity.Person{ID: "dana", Role: identity.Admin})
		w.scheduled(strings.Replace(document, "big: {teams: [big]}}", "big: {teams: [giant]}}", 1), time.Hour)
		absent := []byte(strings.Replace(people, "ann: {team: sales, capacity: 3}", "ann: {team: sales, capacity: 3, absences: [{from: 2026-03-02, to: 2026-03-03}]}", 1))
		answer, err := w.SetRoster(admin, &leadpactv1.SetRosterRequest{Text: absent})
		if err != nil || len(answer.GetWarnings()) != 2 || !strings.Contains(answer.GetWarnings()[0], `the team "giant"`) {
			t.Fatalf("before it is in force: %v, %v", answer, err)
		}
		w.apply(w.staged("a", 10))
		if w.owner("a") != "bob" {
			t.Errorf("%q has the lead although ann is away", w.owner("a"))
		}
		w.pass(time.Hour)
		if _, err := w.SetRoster(admin, &leadpactv1.SetRosterRequest{Text: []byte(people)}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("once it is in force: %v", err)
		}
	})
}
