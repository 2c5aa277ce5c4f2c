package quarantine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// mostKeys bounds one call that names its rows.
const mostKeys = 100

// An answer to a retry ends with the row that brings it to one of these: it must fit into what gRPC takes, 4 MiB, and be made within the
// time of a call. A row is 1,000 events at most.
const (
	fullBytes  = 1 << 20
	fullEvents = 2000
)

// RetryQuarantined implements leadpactv1.QuarantineServiceServer.
func (s *Service) RetryQuarantined(ctx context.Context, r *leadpactv1.RetryQuarantinedRequest) (*leadpactv1.RetryQuarantinedResponse, error) {
	by, rooms, err := s.admit(ctx, r.GetService())
	if err != nil {
		return nil, err
	}
	if err := chosen(r); err != nil {
		return nil, err
	}
	t := Trial{Dry: r.GetDryRun()}
	if len(r.GetAgreement()) > 0 {
		if !t.Dry {
			return nil, status.Error(codes.InvalidArgument, "a text can only be tried dry: activate it, and retry then")
		}
		var faults []agreement.Fault
		if t.Agreement, faults = agreement.Parse("agreement", r.GetAgreement()); len(faults) > 0 {
			return nil, status.Error(codes.InvalidArgument, agreement.Faults(faults).Error())
		}
	}
	limit, err := bounded(r.GetLimit(), 50, mostKeys)
	if err != nil {
		return nil, err
	}
	out := &leadpactv1.RetryQuarantinedResponse{}
	var rows []at
	if len(r.GetKeys()) > 0 {
		rows, err = s.named(ctx, rooms, r.GetKeys(), r.GetPageToken())
	} else {
		rows, out.NextPageToken, err = s.page(ctx, rooms, r.GetSource(), r.GetPageToken(), limit)
	}
	if err != nil {
		return nil, err
	}
	bytes, events := 0, 0
	for i, row := range rows {
		v := s.retry(ctx, row, t)
		if ctx.Err() != nil {
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		s.log.InfoContext(ctx, "retried from quarantine", "by", by, "service", row.service, "key", row.Key, "dry", t.Dry, "outcome", string(v.Outcome))
		retried := told(row, v)
		out.Rows = append(out.Rows, retried)
		bytes, events = bytes+proto.Size(retried), events+len(v.Events)
		if i+1 < len(rows) && (bytes >= fullBytes || events >= fullEvents) {
			out.NextPageToken = tokenOf(row)
			break
		}
	}
	return out, nil
}

// selection is what a request picks rows by.
type selection interface {
	GetKeys() []string
	GetSource() string
	GetAll() bool
}

// chosen wants exactly one way to pick rows.
func chosen(r selection) error {
	ways := 0
	for _, given := range []bool{len(r.GetKeys()) > 0, r.GetSource() != "", r.GetAll()} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return status.Error(codes.InvalidArgument, "name the keys, or one source, or ask for all")
	case len(r.GetKeys()) > mostKeys:
		return status.Errorf(codes.InvalidArgument, "%d keys: give %d at a time", len(r.GetKeys()), mostKeys)
	}
	return nil
}

// named are the rows of keys in order of arrival, of them those behind the token's. A key that does not wait any more is a row without a
// kind, and comes before the others: one that a page before has settled comes no second time.
func (s *Service) named(ctx context.Context, rooms, keys []string, token string) ([]at, error) {
	_, after, err := parseToken(token)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	order := func(a, b at) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) }
	last := at{Quarantined: store.Quarantined{At: after.At, Key: after.Key}}
	var out []at
	for _, key := range keys {
		row, err := s.find(ctx, rooms, key)
		if status.Code(err) == codes.NotFound {
			row, err = at{Quarantined: store.Quarantined{Key: key}}, nil
		}
		if err != nil {
			return nil, err
		}
		row.Raw, row.Hook = nil, nil // read again one by one
		if token == "" || order(row, last) > 0 {
			out = append(out, row)
		}
	}
	slices.SortStableFunc(out, order)
	return slices.CompactFunc(out, func(a, b at) bool { return a.Key == b.Key }), nil
}

// retry tries one row again and writes down what came of it.
func (s *Service) retry(ctx context.Context, row at, t Trial) Verdict {
	gone := Verdict{Outcome: Gone, Reason: "nothing with this key waits"}
	room, ok := s.rooms[row.service]
	if !ok {
		return gone
	}
	whole, err := room.Store.Quarantined(ctx, row.Key)
	if errors.Is(err, store.ErrNotFound) {
		return gone
	}
	var v Verdict
	if err == nil {
		v, err = s.attempt(ctx, room, whole, t)
	}
	switch {
	case err == nil:
		return v
	case !bus.IsPermanent(err):
		s.log.WarnContext(ctx, "a retry from quarantine could not be made", "service", row.service, "key", row.Key, "error", err)
		return Verdict{Outcome: Later, Reason: "it cannot be tried now: try again"}
	}
	v.Outcome, v.Reason = Kept, err.Error()
	if t.Dry {
		return v
	}
	if err := s.keep(ctx, room, row.Key, v.Reason); err != nil {
		s.log.WarnContext(ctx, "a retry from quarantine was not written down", "service", row.service, "key", row.Key, "error", err)
	}
	return v
}

// attempt turns a panic into an error that trying again cannot mend. The panic's words may quote the row, so the log line has only where
// it happened.
func (s *Service) attempt(ctx context.Context, room Room, row store.Quarantined, t Trial) (v Verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.ErrorContext(ctx, "a retry panicked", "key", row.Key, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			v, err = Verdict{}, bus.Permanent(errors.New("the program failed on it; its log says where"))
		}
	}()
	return room.Retry(ctx, row, t)
}

// keep writes down that a row was tried in vain.
func (s *Service) keep(ctx context.Context, room Room, key, why string) error {
	now, err := room.Store.Now(ctx)
	if err != nil {
		return err
	}
	_, err = room.Store.SettleQuarantined(ctx, key, store.Settlement{Reason: why, TriedAt: now})
	return err
}

func told(row at, v Verdict) *leadpactv1.Retried {
	out := &leadpactv1.Retried{
		Key: row.Key, Service: row.service, Kind: string(row.Kind), Source: row.Source, Outcome: string(v.Outcome), Reason: v.Reason,
		Skipped: int64(v.Skipped),
	}
	if !row.At.IsZero() {
		out.At = timestamppb.New(row.At)
	}
	for _, e := range v.Events {
		out.Events = append(out.Events, &leadpactv1.RetriedEvent{
			Id: e.ID, Kind: e.Kind, Result: e.Result, Reason: e.Reason, Lead: e.Lead, Stages: e.Stages,
		})
	}
	return out
}
