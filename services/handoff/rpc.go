package handoff

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// ListInbox answers with the caller's live assignments.
func (s *Service) ListInbox(ctx context.Context, r *leadpactv1.ListInboxRequest) (*leadpactv1.ListInboxResponse, error) {
	who, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	limit, err := bounded(r.GetLimit())
	if err != nil {
		return nil, err
	}
	rows, err := s.store.Inbox(ctx, who, limit)
	if err != nil {
		return nil, s.failed(ctx, "read the inbox", err)
	}
	out := &leadpactv1.ListInboxResponse{}
	for _, row := range rows {
		out.Assignments = append(out.Assignments, answer(row.Handoff, row.Assignment, row.Clocks))
	}
	return out, nil
}

// bounded is how much of a list is asked for.
func bounded(limit int32) (int, error) {
	switch {
	case limit < 0 || limit > 500:
		return 0, status.Errorf(codes.InvalidArgument, "limit %d: ask for 1 to 500, or 0 for 100", limit)
	case limit == 0:
		return 100, nil
	}
	return int(limit), nil
}

// Accept takes the lead on.
func (s *Service) Accept(ctx context.Context, r *leadpactv1.AcceptRequest) (*leadpactv1.AcceptResponse, error) {
	a, err := s.act(ctx, r, action{kind: agreement.Accepted})
	return &leadpactv1.AcceptResponse{Assignment: a}, err
}

// Reject gives the lead back.
func (s *Service) Reject(ctx context.Context, r *leadpactv1.RejectRequest) (*leadpactv1.RejectResponse, error) {
	a, err := s.act(ctx, r, action{kind: agreement.Rejected, reason: r.GetReason()})
	return &leadpactv1.RejectResponse{Assignment: a}, err
}

// LogAttempt records one attempt to reach the lead.
func (s *Service) LogAttempt(ctx context.Context, r *leadpactv1.LogAttemptRequest) (*leadpactv1.LogAttemptResponse, error) {
	do := action{kind: agreement.Attempt}
	if r.GetOccurredAt() != nil {
		if err := r.GetOccurredAt().CheckValid(); err != nil {
			return nil, status.Error(codes.InvalidArgument, "occurred_at is no instant")
		}
		do.claimed = r.GetOccurredAt().AsTime().Truncate(time.Microsecond)
		if do.claimed.UnixMicro() <= 0 {
			return nil, status.Error(codes.InvalidArgument, "occurred_at lies before 1970: leave it out when it happened now")
		}
	}
	a, err := s.act(ctx, r, do)
	return &leadpactv1.LogAttemptResponse{Assignment: a}, err
}

// MarkReached records a conversation.
func (s *Service) MarkReached(ctx context.Context, r *leadpactv1.MarkReachedRequest) (*leadpactv1.MarkReachedResponse, error) {
	a, err := s.act(ctx, r, action{kind: agreement.Reached})
	return &leadpactv1.MarkReachedResponse{Assignment: a}, err
}

// Qualify says that sales agrees.
func (s *Service) Qualify(ctx context.Context, r *leadpactv1.QualifyRequest) (*leadpactv1.QualifyResponse, error) {
	a, err := s.act(ctx, r, action{kind: agreement.Qualified})
	return &leadpactv1.QualifyResponse{Assignment: a}, err
}

// CloseWon ends the handoff with a win.
func (s *Service) CloseWon(ctx context.Context, r *leadpactv1.CloseWonRequest) (*leadpactv1.CloseWonResponse, error) {
	a, err := s.act(ctx, r, action{kind: agreement.Won})
	return &leadpactv1.CloseWonResponse{Assignment: a}, err
}

// CloseLost ends the handoff with a loss.
func (s *Service) CloseLost(ctx context.Context, r *leadpactv1.CloseLostRequest) (*leadpactv1.CloseLostResponse, error) {
	a, err := s.act(ctx, r, action{kind: agreement.Lost})
	return &leadpactv1.CloseLostResponse{Assignment: a}, err
}

// request is what every action's message has.
type request interface {
	GetLead() string
	GetRequestId() string
}

// caller is the rep who calls.
func (s *Service) caller(ctx context.Context) (string, error) {
	p, ok := identity.From(ctx)
	if !ok {
		return "", status.Error(codes.Unauthenticated, "send a token")
	}
	if err := s.people.refresh(ctx); err != nil {
		return "", s.failed(ctx, "read the roster", err)
	}
	if _, ok := s.people.now().reps[p.ID]; !ok {
		return "", status.Errorf(codes.PermissionDenied, "%s is no rep of the roster: only a rep acts on a lead, for himself", p.ID)
	}
	return p.ID, nil
}

// failed turns an error of ours into an answer; what a caller can do nothing about is logged, not told.
func (s *Service) failed(ctx context.Context, doing string, err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case errors.Is(err, store.ErrConflict), errors.Is(err, errVersion):
		return status.Error(codes.Unavailable, "others work on the same lead: try again with the same request_id")
	}
	s.cfg.Log.ErrorContext(ctx, "a call failed", "doing", doing, "error", err)
	return status.Error(codes.Internal, "could not "+doing+": try again with the same request_id")
}

// answer is a live assignment as a rep sees it.
func answer(h store.HandoffRow, a store.Assignment, clocks []store.ClockRow) *leadpactv1.Assignment {
	out := &leadpactv1.Assignment{
		Id: a.ID, Lead: a.Lead, Cycle: a.Cycle, Rep: a.Rep, Team: a.Team, Pool: a.Pool, Grade: h.Grade, StartedAt: timestamppb.New(a.StartedAt),
		Contact: card(h.Contact),
	}
	if !a.AcceptedAt.IsZero() {
		out.AcceptedAt = timestamppb.New(a.AcceptedAt)
	}
	for _, c := range clocks {
		out.Clocks = append(out.Clocks, &leadpactv1.RunningClock{Id: c.ID, Name: c.Name, DueAt: timestamppb.New(c.DueAt), State: c.State})
	}
	return out
}

// ended is an assignment that the action itself ended. It holds only what a repeat of the request can be told again: a rep has a
// lead once at most in a handoff, so his place among those who lost it is his assignment's number.
func ended(h store.HandoffRow, rep, why string) *leadpactv1.Assignment {
	n := h.Assignments
	for i, who := range h.Excluded {
		if who == rep {
			n = uint32(i + 1)
		}
	}
	return &leadpactv1.Assignment{
		Id: assignmentID(h.HandoffKey, n), Lead: h.Lead, Cycle: h.Cycle, Rep: rep, Pool: h.Pool, Grade: h.Grade, EndReason: why,
	}
}

func card(data []byte) *leadpactv1.ContactCard {
	var c eventv1.Contact
	if len(data) == 0 || proto.Unmarshal(data, &c) != nil {
		return nil
	}
	out := &leadpactv1.ContactCard{Name: c.GetName(), Email: c.GetEmail(), Phone: c.GetPhone(), Fields: make(map[string]string)}
	for name, v := range event.Values(c.GetFields()) {
		if number, ok := v.(float64); ok {
			out.Fields[name] = strconv.FormatFloat(number, 'f', -1, 64) // 1000000, not 1e+06
			continue
		}
		out.Fields[name] = fmt.Sprint(v)
	}
	return out
}
