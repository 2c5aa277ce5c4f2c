package scoring_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

func TestQuestionsAboutALead(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, received("1", "A.da+x@gmail.com", "form", 0, size(250)))
		ctx := identity.With(t.Context(), identity.Person{ID: "m", Role: identity.Manager})

		got, err := r.GetLead(ctx, &leadpactv1.GetLeadRequest{Key: &leadpactv1.GetLeadRequest_Email{Email: "ADA@googlemail.com"}})
		must(t, err)
		l := got.GetLead()
		if l.GetStage() != "mql" || l.GetScore() != 50 || l.GetGrade() != "B" || l.GetFields()["size"] != "250" || l.GetFacts() != 1 ||
			!l.GetFirstTouch().AsTime().Equal(start) || l.GetChannel() != "paid" || l.GetFirstSource() != "web" || l.GetCycle() != 1 {
			t.Errorf("the lead is %v", l)
		}
		same, err := r.GetLead(ctx, &leadpactv1.GetLeadRequest{Key: &leadpactv1.GetLeadRequest_Id{Id: l.GetId()}})
		must(t, err)
		if same.GetLead().GetId() != l.GetId() {
			t.Errorf("by id it is %v", same)
		}
		why, err := r.Explain(ctx, &leadpactv1.ExplainRequest{Id: l.GetId()})
		must(t, err)
		if ts := why.GetTransitions(); len(ts) != 2 || ts[1].GetTo() != "mql" || ts[1].GetScore() != 50 || len(ts[1].GetReasons()) != 2 || ts[1].GetCause() != event.DerivedID("web", "1") {
			t.Errorf("the explanation is %v", why)
		}

		for name, c := range map[string]struct {
			err  error
			want codes.Code
		}{
			"no token":            {second(r.GetLead(t.Context(), &leadpactv1.GetLeadRequest{})), codes.Unauthenticated},
			"no token to explain": {second(r.Explain(t.Context(), &leadpactv1.ExplainRequest{Id: l.GetId()})), codes.Unauthenticated},
			"no key":              {second(r.GetLead(ctx, &leadpactv1.GetLeadRequest{})), codes.InvalidArgument},
			"no address":          {second(r.GetLead(ctx, &leadpactv1.GetLeadRequest{Key: &leadpactv1.GetLeadRequest_Email{Email: "ada"}})), codes.InvalidArgument},
			"nobody":              {second(r.GetLead(ctx, &leadpactv1.GetLeadRequest{Key: &leadpactv1.GetLeadRequest_Email{Email: "bob@example.com"}})), codes.NotFound},
			"no such id":          {second(r.Explain(ctx, &leadpactv1.ExplainRequest{Id: "x"})), codes.NotFound},
		} {
			if status.Code(c.err) != c.want {
				t.Errorf("%s: %v, want %s", name, c.err, c.want)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }
