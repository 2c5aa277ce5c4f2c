package compliance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/agreement/sealtest"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
)

// unsigned is an agreement without faults and without keys.
func unsigned(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("ledger/testdata/graded.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// told takes what waits in the outbox and returns the activations in it.
func told(t *testing.T, s store.Compliance) []*eventv1.AgreementActivated {
	t.Helper()
	var out []*eventv1.AgreementActivated
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
				out = append(out, e.GetAgreementActivated())
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// signed is a version of the agreement of the tests, and both sides' signatures on it.
func signed(t *testing.T, version string) (text, seal []byte) {
	t.Helper()
	text = sealtest.Keyed(t, bytes.Replace(unsigned(t), []byte(`version: "1"`), fmt.Appendf(nil, "version: %q", version), 1))
	return text, sealtest.Seal(t, text)
}

// next is signed, and follows the version before.
func next(t *testing.T, version string, before []byte) (text, seal []byte) {
	t.Helper()
	text, _ = signed(t, version)
	text = sealtest.Following(t, text, before)
	return text, sealtest.Seal(t, text)
}

// soon makes versions follow each other at once.
func soon(r replica) replica {
	r.cfg.Notice = time.Microsecond
	return r
}

func TestActivate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := soon(newReplica(t, s, "a"))
		kicked := 0
		a.cfg.Kick = func() { kicked++ }
		as := serve(t, a)
		admin := leadpactv1.NewAgreementServiceClient(as(identity.Admin))
		first, sealOfFirst := signed(t, "1")
		second, sealOfSecond := next(t, "2", first)
		activate := func(text, seal []byte) (*leadpactv1.Version, error) {
			answer, err := admin.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: text, Signatures: seal})
			return answer.GetVersion(), err
		}

		if _, err := admin.GetActive(t.Context(), &leadpactv1.GetActiveRequest{}); status.Code(err) != codes.NotFound {
			t.Errorf("before the first activation: got %v, want %v", err, codes.NotFound)
		}
		one, err := activate(bytes.ReplaceAll(first, []byte("\n"), []byte("\r\n")), sealOfFirst)
		if err != nil {
			t.Fatal(err)
		}
		if one.GetActor() != "p-admin" || one.GetTitle() != "Leads of the tests" || one.GetVersion() != "1" || !one.GetInForce() || !bytes.Equal(one.GetText(), first) {
			t.Errorf("activated %v", one)
		}
		if got := told(t, s); len(got) != 1 || got[0].GetHash() != one.GetHash() || !bytes.Equal(got[0].GetSignatures(), sealOfFirst) || kicked != 1 {
			t.Errorf("told %v with %d wake-ups, want %s once", got, kicked, one.GetHash())
		}
		again, err := activate(first, sealOfFirst)
		if err != nil || !again.GetActiveFrom().AsTime().Equal(one.GetActiveFrom().AsTime()) {
			t.Errorf("again: %v, %v; want what is in force since %v", again, err, one.GetActiveFrom().AsTime())
		}
		if got := told(t, s); len(got) != 0 {
			t.Errorf("activating what is in force told %v", got)
		}
		two, err := activate(second, sealOfSecond)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := activate(first, sealOfFirst); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "change its version line") {
			t.Errorf("the one before: got %v", err)
		}
		if got := told(t, s); len(got) != 1 || got[0].GetHash() != two.GetHash() {
			t.Errorf("told %v, want %s", got, two.GetHash())
		}
		active, err := admin.GetActive(t.Context(), &leadpactv1.GetActiveRequest{})
		if err != nil || active.GetVersion().GetHash() != two.GetHash() {
			t.Errorf("in force: %v, %v", active, err)
		}
		versions, err := admin.ListVersions(t.Context(), &leadpactv1.ListVersionsRequest{})
		if err != nil || len(versions.GetVersions()) != 2 || versions.GetVersions()[0].GetHash() != two.GetHash() ||
			versions.GetVersions()[1].GetHash() != one.GetHash() || versions.GetVersions()[0].GetText() != nil || versions.GetVersions()[1].GetInForce() {
			t.Fatalf("versions: %v, %v", versions, err)
		}
		for i, side := range []string{"marketing", "sales"} {
			g := versions.GetVersions()[0].GetSignatures()
			if len(g) != 2 || g[i].GetSide() != side || g[i].GetName() == "" || g[i].GetKey() != sealtest.Public(side) || len(g[i].GetValue()) != 64 {
				t.Errorf("signed by %v, want %s in place %d", g, side, i)
			}
		}
		got, err := admin.GetVersion(t.Context(), &leadpactv1.GetVersionRequest{Hash: one.GetHash()})
		if err != nil || !bytes.Equal(got.GetVersion().GetText(), first) || got.GetVersion().GetInForce() {
			t.Errorf("the first: %v, %v", got, err)
		}
		for hash, want := range map[string]codes.Code{"": codes.InvalidArgument, "unheard of": codes.NotFound} {
			if _, err := admin.GetVersion(t.Context(), &leadpactv1.GetVersionRequest{Hash: hash}); status.Code(err) != want {
				t.Errorf("version %q: got %v, want %v", hash, err, want)
			}
		}
	})
}

func standingAt(t *testing.T, r replica, name string) float64 {
	t.Helper()
	all, err := r.standing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all[name]
}

func TestActivateRefusesFaultsWithTheirPlaces(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		admin := leadpactv1.NewAgreementServiceClient(serve(t, a)(identity.Admin))
		bad := bytes.Replace(unsigned(t), []byte("lead.size >= 1000, pool: large"), []byte("lead.sise >= 1000, pool: larger"), 1)
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
			text, seal := signed(t, "1")
			if _, err := client.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: text, Signatures: seal}); status.Code(err) != want {
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
		row, err := a.ActivateText(t.Context(), Activation{Text: unsigned(t), Actor: "dana", Trial: true})
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
		if _, err := a.ActivateText(t.Context(), Activation{Text: unsigned(t), Actor: "dana", Trial: true}); err != nil {
			t.Fatal(err)
		}
		if err := a.startInForce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := scrape(t, a).value[`leadpact_breaches_total{clock="call",grade="A",team="north"}`]; got != 1 {
			t.Errorf("starting at 0 again left %v of 1 breach", got)
		}
		if _, err := a.ActivateText(t.Context(), Activation{Text: []byte("title: 1"), Actor: "dana"}); err == nil {
			t.Error("a text with faults was taken")
		} else if faults := agreement.Faults(nil); !errors.As(err, &faults) || len(faults) == 0 {
			t.Errorf("got %v, want its faults", err)
		}
		if rows, err := s.ListAgreements(t.Context()); err != nil || len(rows) != 1 || rows[0].Hash != row.Hash {
			t.Errorf("versions %v, %v", rows, err)
		}
	})
}
