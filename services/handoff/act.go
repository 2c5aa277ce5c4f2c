package handoff

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// skew is how far ahead of our clock a claimed time may lie; one farther ahead counts as now.
const skew = 5 * time.Minute

// action is what a rep does with a lead.
type action struct {
	kind string
	// reason of the agreement to give the lead back. What a rep types is not kept: nobody reads it, and it may name a person.
	reason string
	// claimed is when it happened in the rep's words; zero means now.
	claimed time.Time
}

// act does one thing that a rep asks for, once however often it is asked.
//
// Its time is when the call came in. The doorway holds the breaking of clocks back until the calls that came before it are
// through, so that a response in time cannot lose to a breach only because its transaction was the slower.
func (s *Service) act(ctx context.Context, r request, do action) (*leadpactv1.Assignment, error) {
	if r.GetLead() == "" || r.GetRequestId() == "" || len(r.GetRequestId()) > 200 {
		return nil, status.Error(codes.InvalidArgument, "name the lead, and a request_id of 1 to 200 bytes that is the same when you repeat the call")
	}
	leave := s.doorway.enter()
	defer leave()
	now, err := s.store.Now(ctx)
	if err != nil {
		return nil, s.failed(ctx, "read the clock", err)
	}
	who, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	n := need{leads: []string{r.GetLead()}}
	if do.kind == agreement.Won || do.kind == agreement.Lost || do.kind == agreement.Rejected {
		n.reps = []string{who}
	}
	var out *leadpactv1.Assignment
	err = s.update(ctx, now, n, func(ctx context.Context, tx store.HandoffTx, d *desk) (err error) {
		out, err = d.act(ctx, tx, who, r, do)
		return err
	})
	if err != nil {
		return nil, s.failed(ctx, "record what you did", err)
	}
	return out, nil
}

// act is one action inside a transaction. A refusal rolls it back, with the breaches that it may have found: the timer, which
// was told of them long ago, finds them too.
func (d *desk) act(ctx context.Context, tx store.HandoffTx, who string, r request, do action) (*leadpactv1.Assignment, error) {
	f := d.files[r.GetLead()]
	if f == nil || f.handoff.History {
		return nil, status.Errorf(codes.NotFound, "lead %s was never handed off", r.GetLead())
	}
	version, err := d.version(f.handoff.Agreement)
	if err != nil {
		return nil, err
	}
	ends, err := ending(version, do)
	if err != nil {
		return nil, err
	}
	if err := d.settle([]*file{f}, d.now); err != nil {
		return nil, err
	}
	row := store.Activity{
		// A request_id is the caller's for one kind of action on one lead; with another it is another request.
		ID:         event.DerivedID("rpc", who, r.GetLead(), do.kind, r.GetRequestId()),
		HandoffKey: f.handoff.HandoffKey, Rep: who, Kind: do.kind, Reason: do.reason,
		OccurredAt: d.now, RecordedAt: d.now,
	}
	if !do.claimed.IsZero() && !do.claimed.After(d.now.Add(skew)) {
		row.OccurredAt = do.claimed
	}
	mine := f.live != nil && f.live.Rep == who
	if mine {
		row.Assignment = f.live.ID
	}
	fresh, err := tx.InsertActivities(ctx, []store.Activity{row})
	switch {
	case err != nil:
		return nil, err
	case fresh[0] && !mine:
		return nil, f.refusal(who)
	case fresh[0] && !do.claimed.IsZero() && row.OccurredAt.Before(f.handoff.StartedAt):
		return nil, status.Errorf(codes.InvalidArgument, "occurred_at lies before the lead was handed off, at %s", f.handoff.StartedAt.Format(time.RFC3339Nano))
	case fresh[0]:
		return d.perform(f, row, ends)
	case mine:
		return f.view(), nil
	case ends == "":
		ends = "released"
	}
	return ended(f.handoff, who, ends), nil
}

// perform tells the activity, steps the clocks that it counts for, and ends the assignment when it does that.
func (d *desk) perform(f *file, row store.Activity, ends string) (*leadpactv1.Assignment, error) {
	d.say(f, row.OccurredAt, &eventv1.Event{
		Id: row.ID, Cause: f.handoff.Cause,
		Body: &eventv1.Event_LeadActivity{LeadActivity: &eventv1.LeadActivity{
			Kind: row.Kind, Rep: row.Rep, Reason: row.Reason, Assignment: row.Assignment, Cycle: row.Cycle,
		}},
	})
	if err := d.did(f, row.Kind, d.now, row.ID); err != nil {
		return nil, err
	}
	var err error
	switch ends {
	case "":
		return f.view(), nil
	case rejected:
		err = d.passOn(f, rejected, d.now)
	case recycled:
		f.handoff.Excluded = append(slices.Clone(f.handoff.Excluded), row.Rep)
		err = d.close(f, recycled, d.now)
	default:
		err = d.close(f, row.Kind, d.now)
	}
	return ended(f.handoff, row.Rep, ends), err
}

// ending is why an action ends the assignment, or empty when it does not.
func ending(version *agreement.Agreement, do action) (string, error) {
	switch do.kind {
	case agreement.Won, agreement.Lost:
		return closed, nil
	case agreement.Rejected:
		var known []string
		for _, r := range version.Rejections {
			if r.Reason == do.reason && r.Recycle {
				return recycled, nil
			}
			if r.Reason == do.reason {
				return rejected, nil
			}
			known = append(known, r.Reason)
		}
		return "", status.Errorf(codes.InvalidArgument, "%q is no reason of the agreement to give a lead back: use one of %q", do.reason, known)
	}
	return "", nil
}

// refusal says why a lead is not the caller's.
func (f *file) refusal(who string) error {
	switch {
	case f.handoff.State == store.HandoffClosed:
		return status.Errorf(codes.FailedPrecondition, "the handoff of lead %s is over: %s", f.handoff.Lead, f.handoff.Result)
	case slices.Contains(f.handoff.Excluded, who):
		return status.Errorf(codes.FailedPrecondition, "lead %s is no longer yours: it was given back or a promise on it was missed", f.handoff.Lead)
	}
	return status.Errorf(codes.FailedPrecondition, "lead %s is not yours", f.handoff.Lead)
}

// view is the live assignment as its owner sees it.
func (f *file) view() *leadpactv1.Assignment {
	var clocks []store.ClockRow
	for _, r := range f.clocks {
		if r.Assignment == f.live.ID && r.State == store.ClockOpen {
			clocks = append(clocks, r.ClockRow)
		}
	}
	return answer(f.handoff, f.live.Assignment, clocks)
}
