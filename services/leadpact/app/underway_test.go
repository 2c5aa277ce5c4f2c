package app_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/agreement/sealtest"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
	"github.com/leadpact/leadpact/services/leadpact/verify"
)

// TestVersionAndLeadsUnderWay: a second version gives two hours instead of one. A lead that is under way when it comes into force has one
// hour still, or two when the version says that it takes over what runs; the ledger tells which, and verify believes it.
func TestVersionAndLeadsUnderWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		line string // of the second version
		want []string
		// clocks that fell away, and those that were kept
		cancelled, met int64
	}{
		"move": {"under_way: move\n", []string{
			"started 1h0m0s under 1", "cancelled version_changed 1h0m0s under 1", "started 2h0m0s under 2", "met 2h0m0s under 2",
		}, 1, 2},
		"stay":    {"under_way: stay\n", []string{"started 1h0m0s under 1", "met 1h0m0s under 1"}, 0, 2},
		"nothing": {"", []string{"started 1h0m0s under 1", "met 1h0m0s under 1"}, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := sealtest.Keyed(t, bytes.Replace(apptest.Agreement, []byte("within: 1s"), []byte("within: 1h"), 1))
			second := sealtest.Following(t, []byte(strings.NewReplacer("version: test-1\n", "version: test-2\n"+c.line, "within: 1h,", "within: 2h,").Replace(string(first))), first)
			cfg := apptest.Config(t, t.TempDir())
			for file, text := range map[string][]byte{cfg.Agreement: first, cfg.Agreement + agreement.SealSuffix: sealtest.Seal(t, first)} {
				if err := os.WriteFile(file, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := apptest.Start(t, cfg)
			s.Post(t, "website", raise("early", "early@example.com"))
			early := s.Assigned(t, "early@example.com")
			token, err := os.ReadFile(s.AdminToken())
			if err != nil {
				t.Fatal(err)
			}
			admin := s.Dial(t, strings.TrimSpace(string(token)))
			versions := leadpactv1.NewAgreementServiceClient(admin)
			answer, err := versions.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: second, Signatures: sealtest.Seal(t, second)})
			if err != nil {
				t.Fatal(err)
			}
			from := answer.GetVersion().GetActiveFrom().AsTime()
			apptest.Until(t, "the second version", func() error { // what is sent then is of it
				v, err := versions.GetVersion(t.Context(), &leadpactv1.GetVersionRequest{Hash: hashOf(t, second)})
				if err == nil && !v.GetVersion().GetInForce() {
					err = errors.New("it is not in force")
				}
				return err
			})
			s.Post(t, "website", raise("late", "late@example.com"))
			late := s.Assigned(t, "late@example.com")
			if due := running(late); due.Sub(late.GetStartedAt().AsTime()) != 2*time.Hour {
				t.Errorf("a lead of the second version is due at %s", due)
			}
			due := early.GetStartedAt().AsTime().Add(time.Hour)
			if c.cancelled > 0 {
				due = due.Add(time.Hour)
			}
			apptest.Until(t, "the deadline of the lead under way", func() error {
				if is := running(s.Assigned(t, "early@example.com")); !is.Equal(due) {
					return fmt.Errorf("it is %s, want %s", is, due)
				}
				return nil
			})
			for _, a := range []*leadpactv1.Assignment{early, late} {
				rep := leadpactv1.NewHandoffServiceClient(s.Dial(t, s.Token(a.GetRep())))
				if _, err := rep.Accept(t.Context(), &leadpactv1.AcceptRequest{Lead: a.GetLead(), RequestId: "r"}); err != nil {
					t.Fatal(err)
				}
			}

			stores := apptest.Stores(t, s.Data)
			var out strings.Builder
			err = verify.Run(t.Context(), verify.Options{
				Stores: stores, Accepted: strings.NewReader("website\tearly\nwebsite\tlate\n"), Doors: []string{s.HTTPAddr()}, Patience: 30 * time.Second, Out: &out,
			})
			if err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			names := map[string]string{hashOf(t, first): "1", hashOf(t, second): "2"}
			if diff := cmp.Diff(c.want, clockLines(t, stores.Compliance, early.GetLead(), names, from)); diff != "" {
				t.Errorf("the ledger (-want +got):\n%s", diff)
			}
			attained, err := leadpactv1.NewComplianceServiceClient(admin).GetAttainment(t.Context(), &leadpactv1.GetAttainmentRequest{GroupBy: leadpactv1.GroupBy_GROUP_BY_TEAM})
			if err != nil || len(attained.GetAttainment()) != 1 {
				t.Fatalf("%v, %v", attained, err)
			}
			if a := attained.GetAttainment()[0]; a.GetCancelled() != c.cancelled || a.GetMet() != c.met || a.GetBreached() != 0 || a.GetOpen() != 0 || a.GetRatio() != 1 {
				t.Errorf("attainment %v", a)
			}
		})
	}
}

// running is when the one clock that runs on an assignment falls due.
func running(a *leadpactv1.Assignment) (due time.Time) {
	for _, c := range a.GetClocks() {
		if c.GetState() == store.ClockOpen {
			due = c.GetDueAt().AsTime()
		}
	}
	return due
}

// clockLines are what the ledger tells of a lead's clocks, in its order. None was taken over before the time from.
func clockLines(t *testing.T, s store.Compliance, lead string, names map[string]string, from time.Time) []string {
	t.Helper()
	var out []string
	rows, err := s.Entries(t.Context(), event.Partition(lead, ledger.Shards), 0, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range slices.DeleteFunc(rows, func(row store.Entry) bool { return row.Lead != lead }) {
		var e eventv1.Event
		if err := proto.Unmarshal(row.Data, &e); err != nil {
			t.Fatal(err)
		}
		tell := func(what string, c *eventv1.Clock) {
			runs := event.Time(c.GetDueAt()).Sub(event.Time(c.GetStartedAt()))
			out = append(out, fmt.Sprintf("%s %s under %s", what, runs, names[e.GetAgreement()]))
		}
		switch b := e.GetBody().(type) {
		case *eventv1.Event_ClockStarted:
			tell("started", b.ClockStarted.GetClock())
		case *eventv1.Event_ClockMet:
			tell("met", b.ClockMet.GetClock())
		case *eventv1.Event_ClockCancelled:
			tell("cancelled "+b.ClockCancelled.GetReason(), b.ClockCancelled.GetClock())
			if !event.Time(e.GetOccurredAt()).Equal(from) || event.Time(e.GetRecordedAt()).Before(from) {
				t.Errorf("it was taken over at %s, recorded at %s, and the version came at %s", event.Time(e.GetOccurredAt()), row.RecordedAt, from)
			}
		}
	}
	return out
}
