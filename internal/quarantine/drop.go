package quarantine

import (
	"context"

	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// DropQuarantined implements leadpactv1.QuarantineServiceServer.
func (s *Service) DropQuarantined(ctx context.Context, r *leadpactv1.DropQuarantinedRequest) (*leadpactv1.DropQuarantinedResponse, error) {
	by, rooms, err := s.admit(ctx, r.GetService())
	if err != nil {
		return nil, err
	}
	if err := chosen(r); err != nil {
		return nil, err
	}
	out := &leadpactv1.DropQuarantinedResponse{}
	if len(r.GetKeys()) > 0 {
		rows, err := s.named(ctx, rooms, r.GetKeys(), "")
		if err != nil {
			return nil, err
		}
		out.Dropped, err = s.drop(ctx, by, rows)
		return out, err
	}
	for token := ""; ; {
		rows, next, err := s.page(ctx, rooms, r.GetSource(), token, 500)
		if err != nil {
			return nil, err
		}
		n, err := s.drop(ctx, by, rows)
		out.Dropped += n
		if err != nil || next == "" {
			return out, err
		}
		token = next
	}
}

// drop gives rows up, and counts those that were there.
func (s *Service) drop(ctx context.Context, by string, rows []at) (n int64, err error) {
	for _, row := range rows {
		room, ok := s.rooms[row.service]
		if !ok {
			continue // it was not found
		}
		there, err := room.Store.DropQuarantined(ctx, row.Key)
		if err != nil {
			return n, s.failed(ctx, "drop from the quarantine of "+row.service, err)
		}
		if there {
			n++
			s.log.InfoContext(ctx, "dropped from quarantine", "by", by, "service", row.service, "key", row.Key)
		}
	}
	return n, nil
}
