package compliance

import (
	"context"
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
// reading on from a number leaves no gap; and a message's cursor never lies past a breach that was not sent yet.
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

// sendBreaches sends all breaches after at and up to end, and leaves at there. Shards that have not grown cost no query.
func (s *Service) sendBreaches(ctx context.Context, at *cursor, end cursor, stream grpc.ServerStreamingServer[leadpactv1.WatchBreachesResponse]) error {
	for shard := range end {
		for at[shard] < end[shard] {
			entries, err := s.cfg.Store.Entries(ctx, shard, at[shard], "clock.breached", page)
			if err != nil {
				return s.internal(ctx, "read the ledger", err)
			}
			for _, entry := range entries {
				b, err := breach(entry)
				if err != nil {
					return s.internal(ctx, "decode a line of the ledger", err)
				}
				at[shard] = entry.Seq
				if err := stream.Send(&leadpactv1.WatchBreachesResponse{Breach: b, Cursor: at.String()}); err != nil {
					return err
				}
			}
			if len(entries) < page {
				at[shard] = max(at[shard], end[shard])
			}
		}
	}
	return nil
}

func breach(entry store.Entry) (*leadpactv1.Breach, error) {
	var e eventv1.Event
	if err := proto.Unmarshal(entry.Data, &e); err != nil {
		return nil, err
	}
	c, t := e.GetClockBreached().GetClock(), e.GetClockBreached().GetClock().GetTerms()
	return &leadpactv1.Breach{
		ClockId: c.GetId(), Clock: c.GetName(), Lead: e.GetLead(), Cycle: t.GetCycle(), Assignment: t.GetAssignment(),
		Rep: t.GetRep(), Team: t.GetTeam(), Pool: t.GetPool(), Grade: t.GetGrade(), Channel: t.GetChannel(),
		StartedAt: timestamppb.New(event.Time(c.GetStartedAt())), DueAt: timestamppb.New(event.Time(c.GetDueAt())),
		RecordedAt: timestamppb.New(event.Time(e.GetRecordedAt())), Remedy: e.GetClockBreached().GetRemedy(),
	}, nil
}

// internal logs what went wrong and tells the caller no more than what was tried.
func (s *Service) internal(ctx context.Context, tried string, err error) error {
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	s.cfg.Logger.Error("call failed", "tried", tried, "error", err)
	return status.Errorf(codes.Unavailable, "could not %s: try again", tried)
}
