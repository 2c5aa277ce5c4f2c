package compliance

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// rosterOf is what handoff tells of a roster.
func rosterOf(version int64, people ...string) *eventv1.Event {
	return &eventv1.Event{
		Id: event.DerivedID("roster.changed", string(rune('0'+version))), Source: event.Handoff, OccurredAt: event.Micros(began), RecordedAt: event.Micros(began),
		Mode: eventv1.Mode_MODE_LIVE,
		Body: &eventv1.Event_RosterChanged{RosterChanged: &eventv1.RosterChanged{Version: version, Hash: "h", Actor: "dana", People: people}},
	}
}

func TestCoverage(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := soon(newReplica(t, s, "a"))
		as := serve(t, a)
		client := func(role identity.Role) leadpactv1.AgreementServiceClient {
			return leadpactv1.NewAgreementServiceClient(as(role))
		}
		admin := client(identity.Admin)
		ask := func(hash string) *leadpactv1.GetCoverageResponse {
			t.Helper()
			c, err := admin.GetCoverage(t.Context(), &leadpactv1.GetCoverageRequest{Hash: hash})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		look := func(c *leadpactv1.GetCoverageResponse, share float64, has, missing, others []string) {
			t.Helper()
			people := func(all []*leadpactv1.Acknowledgement) (out []string) {
				for _, a := range all {
					out = append(out, a.GetPerson())
				}
				return out
			}
			want := []any{share, has, missing, others}
			got := []any{c.GetShare(), people(c.GetAcknowledged()), c.GetMissing(), people(c.GetOthers())}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("coverage (-want +got):\n%s", diff)
			}
		}
		say := func(role identity.Role, hash string) *leadpactv1.AcknowledgeResponse {
			t.Helper()
			said, err := client(role).Acknowledge(t.Context(), &leadpactv1.AcknowledgeRequest{Hash: hash})
			if err != nil {
				t.Fatal(err)
			}
			return said
		}

		if _, err := client(identity.Rep).Acknowledge(t.Context(), &leadpactv1.AcknowledgeRequest{}); status.Code(err) != codes.NotFound {
			t.Errorf("before the first version: %v", err)
		}
		text, seal := signed(t, "1")
		row, err := a.ActivateText(t.Context(), Activation{Text: text, Signatures: seal, Actor: "dana"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client(identity.Rep).Acknowledge(t.Context(), &leadpactv1.AcknowledgeRequest{Hash: "unheard of"}); status.Code(err) != codes.NotFound {
			t.Errorf("an unknown version: %v", err)
		}
		look(ask(""), 0, nil, nil, nil) // no roster yet
		apply(t, a, rosterOf(2, "p-manager", "p-rep", "zoe"))
		look(ask(""), 0, nil, []string{"p-manager", "p-rep", "zoe"}, nil)

		first := say(identity.Rep, "")
		if again := say(identity.Rep, row.Hash); !again.GetAt().AsTime().Equal(first.GetAt().AsTime()) || again.GetHash() != row.Hash {
			t.Errorf("said again: %v, want the first time, %v", again, first)
		}
		say(identity.Admin, "") // who is in no roster
		look(ask(row.Hash), 1.0/3, []string{"p-rep"}, []string{"p-manager", "zoe"}, []string{"p-admin"})
		say(identity.Manager, "")
		apply(t, a, rosterOf(1, "nobody")) // comes late
		look(ask(""), 2.0/3, []string{"p-manager", "p-rep"}, []string{"zoe"}, []string{"p-admin"})
		apply(t, a, rosterOf(3, "p-rep", "p-manager"), rosterOf(4, "p-rep", "p-manager", "new", "newer")) // two join, one goes
		look(ask(""), 0.5, []string{"p-manager", "p-rep"}, []string{"new", "newer"}, []string{"p-admin"})
		apply(t, a, rosterOf(3, "p-rep", "p-manager")) // told again
		look(ask(""), 0.5, []string{"p-manager", "p-rep"}, []string{"new", "newer"}, []string{"p-admin"})

		text, seal = next(t, "2", text)
		if _, err = a.ActivateText(t.Context(), Activation{Text: text, Signatures: seal, Actor: "dana"}); err != nil {
			t.Fatal(err)
		}
		look(ask(""), 0, nil, []string{"new", "newer", "p-manager", "p-rep"}, nil)
		look(ask(row.Hash), 0.5, []string{"p-manager", "p-rep"}, []string{"new", "newer"}, []string{"p-admin"})
	})
}
