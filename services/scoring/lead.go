package scoring

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/scoring/score"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

// GetLead implements leadpactv1.LeadServiceServer.
func (s *Service) GetLead(ctx context.Context, r *leadpactv1.GetLeadRequest) (*leadpactv1.GetLeadResponse, error) {
	if _, ok := identity.From(ctx); !ok {
		return nil, status.Error(codes.Unauthenticated, "a token is needed")
	}
	id := r.GetId()
	if r.GetEmail() != "" {
		canonical, err := lead.Canonical(r.GetEmail())
		if err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
		if id, err = s.store.FindLead(ctx, "email:"+canonical); err != nil {
			return nil, s.problem(err)
		}
	}
	if id == "" {
		return nil, status.Error(codes.InvalidArgument, "give the lead's id or an e-mail address")
	}
	row, err := s.store.Lead(ctx, id)
	if err != nil {
		return nil, s.problem(err)
	}
	out, err := s.describe(row)
	if err != nil {
		return nil, err
	}
	return &leadpactv1.GetLeadResponse{Lead: out}, nil
}

// Explain implements leadpactv1.LeadServiceServer.
func (s *Service) Explain(ctx context.Context, r *leadpactv1.ExplainRequest) (*leadpactv1.ExplainResponse, error) {
	if _, ok := identity.From(ctx); !ok {
		return nil, status.Error(codes.Unauthenticated, "a token is needed")
	}
	if _, err := s.store.Lead(ctx, r.GetId()); err != nil {
		return nil, s.problem(err)
	}
	rows, err := s.store.Transitions(ctx, r.GetId())
	if err != nil {
		return nil, s.problem(err)
	}
	out := &leadpactv1.ExplainResponse{}
	for _, row := range rows {
		var e eventv1.Event
		if err := proto.Unmarshal(row.Data, &e); err != nil {
			return nil, s.problem(err)
		}
		t := &leadpactv1.Transition{
			Cycle: row.Cycle, N: row.N, From: row.From, To: row.To, At: timestamppb.New(row.At), Agreement: row.Agreement,
			Cause: row.Cause, Score: e.GetLeadStaged().GetScore(), Grade: e.GetLeadStaged().GetGrade(), Actor: e.GetLeadStaged().GetActor(),
			Handoff: e.GetLeadStaged().GetHandoff(), Withheld: e.GetLeadStaged().GetWithheld(), Withdrawn: e.GetLeadStaged().GetWithdrawn(),
		}
		for _, reason := range e.GetLeadStaged().GetReasons() {
			t.Reasons = append(t.Reasons, &leadpactv1.ScoreReason{Rule: reason.GetRule(), Points: reason.GetPoints()})
		}
		out.Transitions = append(out.Transitions, t)
	}
	return out, nil
}

// describe scores the lead as of the last change of its knowledge, under the agreement that it was folded under.
func (s *Service) describe(row store.Lead) (*leadpactv1.Lead, error) {
	state, k, readable, err := remember(row)
	if err != nil || !readable {
		return nil, s.problem(errors.Join(errors.New("its knowledge has another version's form; it is written anew with the next event"), err))
	}
	a, ok := s.agreements.ByHash(row.Agreement)
	if !ok {
		return nil, status.Error(codes.Unavailable, "the agreement that the lead was scored under has not arrived here yet; try again")
	}
	card := score.Of(a, k, score.Position{Stage: state.Stage, Cycle: state.Cycle, Since: state.Since}, k.Latest)
	out := &leadpactv1.Lead{
		Id: row.ID, Stage: row.Stage, Cycle: row.Cycle, Score: card.Lead.Score, Fit: card.Lead.Fit, Engagement: card.Lead.Engagement,
		Grade: card.Lead.Grade, Channel: card.Lead.Channel, FirstSource: card.Lead.Source, Fields: map[string]string{}, Facts: row.Facts,
		Withheld: stage.Withheld(a, k),
	}
	for _, purpose := range slices.Sorted(maps.Keys(k.Consents)) {
		word := k.Consents[purpose]
		out.Consents = append(out.Consents, &leadpactv1.Consent{
			Purpose: purpose, Granted: word.Granted, At: timestamppb.New(word.At), Source: word.Source,
		})
	}
	if k.Touched() {
		out.FirstTouch, out.LastTouch = timestamppb.New(k.First.At), timestamppb.New(k.Last.At)
	}
	for name, field := range k.Fields {
		switch v := field.Value.(type) {
		case string:
			out.Fields[name] = v
		case float64:
			out.Fields[name] = strconv.FormatFloat(v, 'f', -1, 64)
		case bool:
			out.Fields[name] = strconv.FormatBool(v)
		}
	}
	return out, nil
}

// problem is the status of an error; what is inside stays in the log.
func (s *Service) problem(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return status.Error(codes.NotFound, "no fact names such a lead")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	s.log.Error("answer a question about a lead", "error", err)
	return status.Error(codes.Unavailable, "what is kept of leads cannot be read now; try again")
}
