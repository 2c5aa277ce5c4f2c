package compliance

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// Acknowledge implements leadpactv1.AgreementServiceServer.
func (s *Service) Acknowledge(ctx context.Context, req *leadpactv1.AcknowledgeRequest) (*leadpactv1.AcknowledgeResponse, error) {
	who, ok := identity.From(ctx)
	if !ok {
		return nil, status.Error(codes.Unauthenticated, "send a token")
	}
	v, err := s.version(ctx, req.GetHash())
	if err != nil {
		return nil, err
	}
	now, err := s.cfg.Store.Now(ctx)
	if err != nil {
		return nil, s.internal(ctx, "acknowledge the agreement", err)
	}
	first, err := s.cfg.Store.Acknowledge(ctx, store.Acknowledgement{Hash: v.GetHash(), Person: who.ID, At: now})
	if err != nil {
		return nil, s.internal(ctx, "acknowledge the agreement", err)
	}
	return &leadpactv1.AcknowledgeResponse{Hash: v.GetHash(), At: timestamppb.New(first)}, nil
}

// GetCoverage implements leadpactv1.AgreementServiceServer.
func (s *Service) GetCoverage(ctx context.Context, req *leadpactv1.GetCoverageRequest) (*leadpactv1.GetCoverageResponse, error) {
	v, err := s.version(ctx, req.GetHash())
	if err != nil {
		return nil, err
	}
	said, err := s.cfg.Store.Acknowledgements(ctx, v.GetHash())
	if err != nil {
		return nil, s.internal(ctx, "read the acknowledgements", err)
	}
	members, err := s.cfg.Store.Members(ctx)
	if err != nil {
		return nil, s.internal(ctx, "read whom the roster names", err)
	}
	return cover(v.GetHash(), said, members.People), nil
}

// cover sets who has acknowledged against those of the roster.
func cover(hash string, said []store.Acknowledgement, people []string) *leadpactv1.GetCoverageResponse {
	out := &leadpactv1.GetCoverageResponse{Hash: hash}
	missing := map[string]bool{}
	for _, p := range people {
		missing[p] = true
	}
	for _, a := range said {
		one := &leadpactv1.Acknowledgement{Person: a.Person, At: timestamppb.New(a.At)}
		if missing[a.Person] {
			out.Acknowledged = append(out.Acknowledged, one)
			delete(missing, a.Person)
		} else {
			out.Others = append(out.Others, one)
		}
	}
	for p := range missing {
		out.Missing = append(out.Missing, p)
	}
	slices.Sort(out.Missing)
	if n := len(out.Acknowledged) + len(out.Missing); n > 0 {
		out.Share = float64(len(out.Acknowledged)) / float64(n)
	}
	return out
}
