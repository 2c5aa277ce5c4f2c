package compliance

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

const (
	// page is how many lines are read at once.
	page = 256
	// look is how long a watcher waits before it looks by itself: lines of other replicas come without a wake-up.
	look = 500 * time.Millisecond
)

// WatchBreaches implements leadpactv1.ComplianceServiceServer. A line is visible only with all lines of its shard below it, so
// reading on from a number leaves no gap; and a message's cursor never lies past a breach or a correction that was not sent yet.
func (s *Service) WatchBreaches(req *leadpactv1.WatchBreachesRequest, stream grpc.ServerStreamingServer[leadpactv1.WatchBreachesResponse]) error {
	at, err := parseCursor(req.GetCursor())
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	ctx := stream.Context()
	for first := true; ; first = false {
		grown := s.growth() // before reading: a commit in between closes it
		end, err := s.end(ctx)
		if err != nil {
			return s.internal(ctx, "read the ledger", err)
		}
		if first && at.ahead(end) {
			return status.Error(codes.InvalidArgument, errAhead.Error())
		}
		if err := s.sendBreaches(ctx, &at, end, stream); err != nil {
			return err
		}
		if req.GetOnce() { // the end as it was at the start: others may never stop writing
			return nil
		}
		t := time.NewTimer(look)
		select {
		case <-ctx.Done():
			t.Stop()
			return status.FromContextError(ctx.Err()).Err()
		case <-grown:
			t.Stop()
		case <-t.C:
		}
	}
}

// end is the ledger's present end.
func (s *Service) end(ctx context.Context) (cursor, error) {
	heads, err := s.cfg.Store.Heads(ctx)
	if err != nil {
		return cursor{}, err
	}
	var end cursor
	for _, h := range heads {
		if h.Shard >= 0 && h.Shard < len(end) {
			end[h.Shard] = h.Seq
		}
	}
	return end, nil
}

// sendBreaches sends all breaches and corrections after at and up to end, and leaves at there. Shards that have not grown cost no query.
func (s *Service) sendBreaches(ctx context.Context, at *cursor, end cursor, stream grpc.ServerStreamingServer[leadpactv1.WatchBreachesResponse]) error {
	for shard := range end {
		for at[shard] < end[shard] {
			entries, upto, err := s.verdicts(ctx, shard, at[shard], end[shard])
			if err != nil {
				return s.internal(ctx, "read the ledger", err)
			}
			for _, entry := range entries {
				m, err := verdict(entry)
				if err != nil {
					return s.internal(ctx, "decode a line of the ledger", err)
				}
				at[shard] = entry.Seq
				m.Cursor = at.String()
				if err := stream.Send(m); err != nil {
					return err
				}
			}
			at[shard] = upto
		}
	}
	return nil
}

// verdicts are the next breaches and corrections of a shard, in their order, and the line up to which there are no others. The types are
// read one after the other, so nothing past end counts: a line that was written in between is in the second look alone.
func (s *Service) verdicts(ctx context.Context, shard int, after, end int64) (entries []store.Entry, upto int64, err error) {
	upto = end
	for _, typ := range []string{"clock.breached", "clock.corrected"} {
		lines, err := s.cfg.Store.Entries(ctx, shard, after, typ, page)
		if err != nil {
			return nil, 0, err
		}
		if len(lines) == page {
			upto = min(upto, lines[page-1].Seq)
		}
		entries = append(entries, lines...)
	}
	entries = slices.DeleteFunc(entries, func(e store.Entry) bool { return e.Seq > upto })
	slices.SortFunc(entries, func(a, b store.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	return entries, upto, nil
}

// verdict is a line as watchers see it.
func verdict(entry store.Entry) (*leadpactv1.WatchBreachesResponse, error) {
	var e eventv1.Event
	if err := proto.Unmarshal(entry.Data, &e); err != nil {
		return nil, err
	}
	if e.GetClockCorrected() != nil {
		return &leadpactv1.WatchBreachesResponse{Correction: correction(&e)}, nil
	}
	return &leadpactv1.WatchBreachesResponse{Breach: breach(&e)}, nil
}

func correction(e *eventv1.Event) *leadpactv1.Correction {
	told := e.GetClockCorrected()
	c, t := told.GetClock(), told.GetClock().GetTerms()
	return &leadpactv1.Correction{
		ClockId: c.GetId(), Clock: c.GetName(), Lead: e.GetLead(), Cycle: t.GetCycle(), Assignment: t.GetAssignment(),
		Rep: t.GetRep(), Team: t.GetTeam(), DueAt: timestamppb.New(event.Time(c.GetDueAt())),
		RespondedAt: timestamppb.New(event.Time(told.GetRespondedAt())), RecordedAt: timestamppb.New(event.Time(e.GetRecordedAt())),
		By: told.GetBy(), Source: told.GetSource(),
	}
}

func breach(e *eventv1.Event) *leadpactv1.Breach {
	c, t := e.GetClockBreached().GetClock(), e.GetClockBreached().GetClock().GetTerms()
	return &leadpactv1.Breach{
		ClockId: c.GetId(), Clock: c.GetName(), Lead: e.GetLead(), Cycle: t.GetCycle(), Assignment: t.GetAssignment(),
		Rep: t.GetRep(), Team: t.GetTeam(), Pool: t.GetPool(), Grade: t.GetGrade(), Channel: t.GetChannel(),
		StartedAt: timestamppb.New(event.Time(c.GetStartedAt())), DueAt: timestamppb.New(event.Time(c.GetDueAt())),
		RecordedAt: timestamppb.New(event.Time(e.GetRecordedAt())), Remedy: e.GetClockBreached().GetRemedy(),
	}
}

// internal logs what went wrong and tells the caller no more than what was tried.
func (s *Service) internal(ctx context.Context, tried string, err error) error {
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	s.cfg.Logger.Error("call failed", "tried", tried, "error", err)
	return status.Errorf(codes.Unavailable, "could not %s: try again", tried)
}
