package compliance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
)

// text is an agreement without faults.
func text(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("ledger/testdata/graded.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// told takes what waits in the outbox and returns the activations in it, by hash.
func told(t *testing.T, s store.Compliance) []string {
	t.Helper()
	var out []string
	_, err := s.Relay(t.Context(), 100, func(_ context.Context, messages []store.Message) error {
		for _, m := range messages {
			if m.Partition != event.AgreementPartition {
				t.Errorf("an activation goes to partition %d", m.Partition)
			}
			events, err := event.Unpack(m.Data)
			if err != nil {
				return err
			}
			for _, e := range events {
				out = append(out, e.GetAgreementActivated().GetHash())
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestActivate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		kicked := 0
		a.cfg.Kick = func() { kicked++ }
		as := serve(t, a)
		admin := leadpactv1.NewAgreementServiceClient(as(identity.Admin))
		first := text(t)
		second := bytes.Replace(first, []byte(`version: "1"`), []byte(`version: "2"`), 1)
		activate := func(text []byte) (*leadpactv1.Version, error) {
			answer, err := admin.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: text})
			return answer.GetVersion(), err
		}

		if _, err := admin.GetActive(t.Context(), &leadpactv1.GetActiveRequest{}); status.Code(err) != codes.NotFound {
			t.Errorf("before the first activation: got %v, want %v", err, codes.NotFound)
		}
		one, err := activate(first)
		if err != nil {
			t.Fatal(err)
		}
		if one.GetActor() != "p-admin" || one.GetTitle() != "Leads of the tests" || !bytes.Equal(one.GetText(), first) {
			t.Errorf("activated %v", one)
		}
		if got := told(t, s); len(got) != 1 || got[0] != one.GetHash() || kicked != 1 {
			t.Errorf("told %v with %d wake-ups, want %s once", got, kicked, one.GetHash())
		}
		again, err := activate(first)
		if err != nil || !again.GetActiveFrom().AsTime().Equal(one.GetActiveFrom().AsTime()) {
			t.Errorf("again: %v, %v; want what is in force since %v", again, err, one.GetActiveFrom().AsTime())
		}
		if got := told(t, s); len(got) != 0 {
			t.Errorf("activating what is in force told %v", got)
		}
		two, err := activate(second)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := activate(first); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "change its version line") {
			t.Errorf("the one before: got %v", err)
		}
		if got := told(t, s); len(got) != 1 || got[0] != two.GetHash() {
			t.Errorf("told %v, want %s", got, two.GetHash())
		}
		active, err := admin.GetActive(t.Context(), &leadpactv1.GetActiveRequest{})
		if err != nil || active.GetVersion().GetHash() != two.GetHash() {
			t.Errorf("in force: %v, %v", active, err)
		}
		versions, err := admin.ListVersions(t.Context(), &leadpactv1.ListVersionsRequest{})
		if err != nil || len(versions.GetVersions()) != 2 || versions.GetVersions()[0].GetHash() != two.GetHash() ||
			versions.GetVersions()[1].GetHash() != one.GetHash() || versions.GetVersions()[0].GetText() != nil {
			t.Errorf("versions: %v, %v", versions, err)
		}
	})
}

func TestActivateRefusesFaultsWithTheirPlaces(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		admin := leadpactv1.NewAgreementServiceClient(serve(t, a)(identity.Admin))
		bad := bytes.Replace(text(t), []byte("lead.size >= 1000, pool: large"), []byte("lead.sise >= 1000, pool: larger"), 1)
		before, _, _ := bytes.Cut(bad, []byte("lead.sise"))
		line := 1 + bytes.Count(before, []byte("\n"))
		_, err := admin.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: bad})
		if status.Code(err) != codes.InvalidArgument {
			t.Fatalf("got %v, want %v", err, codes.InvalidArgument)
		}
		faults := strings.Split(status.Convert(err).Message(), "\n")
		place := fmt.Sprintf("agreement:%d:", line)
		if len(faults) != 2 || !strings.HasPrefix(faults[0], place) || !strings.HasPrefix(faults[1], place) {
			t.Errorf("faults %q, want two in line %d", faults, line)
		}
		if rows, err := s.ListAgreements(t.Context()); err != nil || len(rows) > 0 {
			t.Errorf("stored %v, %v", rows, err)
		}
		if got := told(t, s); len(got) > 0 {
			t.Errorf("told %v", got)
		}
	})
}

func TestActivateNeedsAnAdministrator(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		as := serve(t, newReplica(t, s, "a"))
		for role, want := range map[identity.Role]codes.Code{
			"":               codes.Unauthenticated,
			identity.Rep:     codes.PermissionDenied,
			identity.Manager: codes.PermissionDenied,
			identity.Admin:   codes.OK,
		} {
			client := leadpactv1.NewAgreementServiceClient(as(role))
			if _, err := client.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: text(t)}); status.Code(err) != want {
				t.Errorf("role %q: got %v, want %v", role, err, want)
			}
		}
	})
}

// TestSeriesStartAtZero: what the version can count is there before it was counted, in each shard, also when an earlier program
// activated it.
func TestSeriesStartAtZero(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		if err := a.startInForce(t.Context()); err != nil {
			t.Errorf("before the first activation: %v", err)
		}
		row, err := a.ActivateText(t.Context(), text(t), "dana")
		if err != nil {
			t.Fatal(err)
		}
		a.shards.acquire(t.Context())
		look := func() {
			t.Helper()
			seen := scrape(t, a)
			for _, series := range []string{
				`leadpact_breaches_total{clock="response",grade="A",team="north"}`,
				`leadpact_breaches_total{clock="unassigned"}`,
				`leadpact_stage_entries_total{channel="unlisted",mode="history",stage="won"}`,
				`leadpact_handoff_waits_total{pool="small",reason="all_full"}`,
				`leadpact_events_total{mode="live",type="clock.breached"}`,
			} {
				if got := len(seen.shards[series]); got != ledger.Shards || seen.value[series] != 0 {
					t.Errorf("%s is shown by %d shards with the sum %v, want 0 in each of %d", series, got, seen.value[series], ledger.Shards)
				}
			}
		}
		look()
		apply(t, a, breachOf("l", 0))
		if _, err := a.ActivateText(t.Context(), text(t), "dana"); err != nil {
			t.Fatal(err)
		}
		if err := a.startInForce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := scrape(t, a).value[`leadpact_breaches_total{clock="call",grade="A",team="north"}`]; got != 1 {
			t.Errorf("starting at 0 again left %v of 1 breach", got)
		}
		if _, err := a.ActivateText(t.Context(), []byte("title: 1"), "dana"); err == nil {
			t.Error("a text with faults was taken")
		} else if faults := (*FaultsError)(nil); !errors.As(err, &faults) || len(faults.Faults) == 0 {
			t.Errorf("got %v, want its faults", err)
		}
		if rows, err := s.ListAgreements(t.Context()); err != nil || len(rows) != 1 || rows[0].Hash != row.Hash {
			t.Errorf("versions %v, %v", rows, err)
		}
	})
}
