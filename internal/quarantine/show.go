package quarantine

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// ListQuarantined implements leadpactv1.QuarantineServiceServer.
func (s *Service) ListQuarantined(ctx context.Context, r *leadpactv1.ListQuarantinedRequest) (*leadpactv1.ListQuarantinedResponse, error) {
	_, rooms, err := s.admit(ctx, r.GetService())
	if err != nil {
		return nil, err
	}
	limit, err := bounded(r.GetLimit(), 100, 500)
	if err != nil {
		return nil, err
	}
	rows, next, err := s.page(ctx, rooms, r.GetSource(), r.GetPageToken(), limit)
	if err != nil {
		return nil, err
	}
	out := &leadpactv1.ListQuarantinedResponse{NextPageToken: next}
	for _, row := range rows {
		out.Rows = append(out.Rows, shown(row))
	}
	return out, nil
}

// GetQuarantined implements leadpactv1.QuarantineServiceServer.
func (s *Service) GetQuarantined(ctx context.Context, r *leadpactv1.GetQuarantinedRequest) (*leadpactv1.GetQuarantinedResponse, error) {
	by, rooms, err := s.admit(ctx, r.GetService())
	if err != nil {
		return nil, err
	}
	row, err := s.find(ctx, rooms, r.GetKey())
	if err != nil {
		return nil, err
	}
	s.log.InfoContext(ctx, "raw bytes were read from quarantine", "by", by, "service", row.service, "key", row.Key)
	out := shown(row)
	out.Raw, out.EventId = row.Raw, row.EventID
	if row.Kind == store.RefusedHook {
		var e eventv1.Event
		if err := proto.Unmarshal(row.Hook, &e); err != nil {
			return nil, s.failed(ctx, "read what came with the webhook", err)
		}
		for _, h := range e.GetHookRefused().GetHeaders() {
			out.Headers = append(out.Headers, &leadpactv1.HookHeader{Name: h.GetName(), Value: h.GetValue()})
		}
		out.Refused = e.GetHookRefused().GetRefused()
	}
	return &leadpactv1.GetQuarantinedResponse{Row: out}, nil
}

// shown is a row as a list has it.
func shown(row at) *leadpactv1.Quarantined {
	out := &leadpactv1.Quarantined{
		Key: row.Key, Service: row.service, Kind: string(row.Kind), Stream: row.Stream, Source: row.Source, Reason: row.Reason,
		Attempts: int64(row.Attempts), At: timestamppb.New(row.At), Size: row.Size, Agreement: row.Agreement,
	}
	if !row.TriedAt.IsZero() {
		out.TriedAt = timestamppb.New(row.TriedAt)
	}
	return out
}

// bounded is how much of a list is asked for.
func bounded(limit int32, usual, most int) (int, error) {
	switch {
	case limit < 0 || int(limit) > most:
		return 0, status.Errorf(codes.InvalidArgument, "limit %d: ask for 1 to %d, or 0 for %d", limit, most, usual)
	case limit == 0:
		return usual, nil
	}
	return int(limit), nil
}
