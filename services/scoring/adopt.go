package scoring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/scoring/score"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

const (
	// adoptMost bounds the leads that one call names or hands off.
	adoptMost = 500
	// adoptPage is how many leads a filter reads and locks at a time, and adoptSight how many one call looks at.
	adoptPage  = 200
	adoptSight = 10_000
)

// Adopt implements leadpactv1.LeadServiceServer.
func (s *Service) Adopt(ctx context.Context, r *leadpactv1.AdoptRequest) (*leadpactv1.AdoptResponse, error) {
	who, ok := identity.From(ctx)
	switch {
	case !ok:
		return nil, status.Error(codes.Unauthenticated, "a token is needed")
	case who.Role != identity.Manager && who.Role != identity.Admin:
		return nil, status.Error(codes.PermissionDenied, "handing off leads of history needs a token with the role manager or admin")
	case r.GetLimit() < 0 || r.GetLimit() > adoptMost:
		return nil, status.Errorf(codes.InvalidArgument, "limit %d: ask for 1 to %d, or 0 for 100", r.GetLimit(), adoptMost)
	case len(r.GetLeads()) > adoptMost:
		return nil, status.Errorf(codes.InvalidArgument, "%d leads are named: name %d at most", len(r.GetLeads()), adoptMost)
	case len(r.GetLeads()) > 0 && (r.GetFilter() != nil || r.GetPageToken() != ""):
		return nil, status.Error(codes.InvalidArgument, "name leads, or give a filter, not both")
	case strings.ContainsRune(r.GetPageToken(), 0):
		return nil, status.Error(codes.InvalidArgument, "page_token is none that was answered")
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return nil, s.problem(err)
	}
	a, ok := s.agreements.At(now)
	if !ok {
		return nil, status.Error(codes.FailedPrecondition, "no agreement is in force yet")
	}
	w := &wish{actor: who.ID, dry: r.GetDryRun(), now: now, agreement: a, filter: r.GetFilter(), left: adoptMost}
	out := &leadpactv1.AdoptResponse{}
	if len(r.GetLeads()) > 0 {
		out.Leads, err = s.adoptNamed(ctx, w, r.GetLeads())
	} else {
		if r.GetLimit() == 0 {
			w.left = 100
		} else {
			w.left = int(r.GetLimit())
		}
		out, err = s.adoptFound(ctx, w, r.GetPageToken())
	}
	if w.adopted > 0 && !w.dry {
		s.log.InfoContext(ctx, "leads of history were handed off", "audit", true, "leads", w.adopted, "actor", w.actor, "request", w.id())
	}
	return out, err
}

// adoptNamed decides on leads by name, and says of each what became of it, in the order asked for.
func (s *Service) adoptNamed(ctx context.Context, w *wish, names []*leadpactv1.LeadName) ([]*leadpactv1.Adoption, error) {
	asked := make([]string, len(names))
	var ids []string
	for i, name := range names {
		id, err := s.named(ctx, name)
		if err == nil {
			_, err = s.store.Lead(ctx, id)
		}
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case status.Code(err) == codes.InvalidArgument:
			return nil, err
		case err != nil:
			return nil, s.problem(err)
		}
		asked[i] = id
		ids = append(ids, id)
	}
	decided, err := s.adopt(ctx, w, ids)
	if err != nil {
		return nil, s.problem(err)
	}
	of := map[string]verdict{}
	for _, v := range decided {
		of[v.lead] = v
	}
	out := make([]*leadpactv1.Adoption, len(names))
	for i, id := range asked {
		v, found := of[id]
		if !found {
			v.refusal = gone
		}
		out[i] = v.adoption()
	}
	return out, nil
}

// named is the lead's id, or store.ErrNotFound, or a status.
func (s *Service) named(ctx context.Context, name *leadpactv1.LeadName) (string, error) {
	var identifiers []string
	switch n := name.GetName().(type) {
	case *leadpactv1.LeadName_Id:
		if n.Id != "" && !strings.ContainsRune(n.Id, 0) {
			return n.Id, nil
		}
	case *leadpactv1.LeadName_Email:
		identifiers = lead.Identify("", n.Email, "")
	case *leadpactv1.LeadName_External:
		identifiers = lead.Identify(n.External.GetSource(), "", n.External.GetId())
	}
	if len(identifiers) == 0 || strings.ContainsRune(identifiers[0], 0) {
		return "", status.Error(codes.InvalidArgument, "a lead's name is its id, a valid e-mail address, or a source and its id for the person")
	}
	return s.store.FindLead(ctx, identifiers[0])
}

// adoptFound decides on the leads that the filter finds, until as many were handed off as were asked for, or enough was looked at.
func (s *Service) adoptFound(ctx context.Context, w *wish, from string) (*leadpactv1.AdoptResponse, error) {
	if err := w.possible(); err != nil {
		return nil, err
	}
	out := &leadpactv1.AdoptResponse{PassedOver: &leadpactv1.PassedOver{}, NextPageToken: from}
	for looked := 0; looked < adoptSight && w.left > 0; looked += adoptPage {
		rows, err := s.store.LeadsAfter(ctx, out.GetNextPageToken(), adoptPage)
		if err != nil {
			return nil, s.problem(err)
		}
		var ids []string
		refused := map[string]stage.Refusal{}
		for _, row := range rows {
			refusal, err := w.glance(row)
			if err != nil {
				return nil, s.problem(err)
			}
			if refused[row.ID] = refusal; refusal == "" {
				ids = append(ids, row.ID)
			}
		}
		decided, err := s.adopt(ctx, w, ids)
		if err != nil {
			return nil, s.problem(err)
		}
		for _, v := range decided {
			if refused[v.lead] = v.refusal; v.refusal == "" {
				out.Leads = append(out.Leads, v.adoption())
			}
		}
		if len(decided) < len(ids) { // as many as were asked for, before the page was through
			last := decided[len(decided)-1].lead
			rows = rows[:1+slices.IndexFunc(rows, func(row store.Lead) bool { return row.ID == last })]
		}
		for _, row := range rows {
			pass(out.GetPassedOver(), refused[row.ID])
		}
		if len(rows) == 0 {
			out.NextPageToken = ""
			return out, nil
		}
		out.NextPageToken = rows[len(rows)-1].ID
	}
	return out, nil
}

// adopt decides on leads in one transaction, in order of id, until none is left to hand off. What it decides and what follows from it
// are stored together, or in a dry run not at all.
func (s *Service) adopt(ctx context.Context, w *wish, ids []string) (out []verdict, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var done *batch
	err = s.store.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error {
		done = &batch{tx: tx, now: w.now, agreement: w.agreement, terms: score.NewTerms(w.agreement), key: s.key, leads: map[string]*known{}}
		if out, err = done.adopt(ctx, w, ids); err != nil || w.dry {
			return err
		}
		return s.enqueue(ctx, tx, done.events)
	})
	if err != nil {
		return nil, fmt.Errorf("hand off leads of history: %w", err)
	}
	for _, v := range out {
		if v.refusal == "" {
			w.left--
			w.adopted++
		}
	}
	if !w.dry {
		s.account(done)
	}
	return out, nil
}

// adopt decides on leads that are there.
func (b *batch) adopt(ctx context.Context, w *wish, ids []string) ([]verdict, error) {
	locked, err := b.tx.LockLeads(ctx, ids)
	if err != nil {
		return nil, err
	}
	if err := b.open(ctx, locked, nil, nil); err != nil {
		return nil, err
	}
	asked := lead.Fact{Kind: lead.Activity, ID: w.id(), OccurredAt: b.now, RecordedAt: b.now}
	var out []verdict
	left := w.left
	for _, row := range locked {
		k := b.leads[row.ID]
		k.changed = false // a lead that is refused is not written, though it was folded again to be decided on
		if left == 0 {
			continue
		}
		a, refusal := w.decide(k)
		out = append(out, verdict{lead: row.ID, stage: a.State.Stage, card: a.Card, refusal: refusal})
		if refusal != "" {
			continue
		}
		left--
		k.state, k.changed = a.State, true
		for _, c := range a.Changes {
			if err := b.change(k, c, asked, w.actor); err != nil {
				return nil, err
			}
		}
	}
	if w.dry {
		return out, nil
	}
	return out, b.save(ctx)
}
