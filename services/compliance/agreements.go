package compliance

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
)

// startAtZero makes every label set that the version can produce visible.
func (s *Service) startAtZero(ctx context.Context, a *agreement.Agreement) error {
	err := s.cfg.Store.Update(ctx, func(ctx context.Context, tx store.ComplianceTx) error {
		return tx.AddTallies(ctx, sum(ledger.Zeroes(a)))
	})
	if err != nil {
		return fmt.Errorf("start the tallies of the agreement at 0: %w", err)
	}
	return nil
}

// Activate implements leadpactv1.AgreementServiceServer.
func (s *Service) Activate(ctx context.Context, req *leadpactv1.ActivateRequest) (*leadpactv1.ActivateResponse, error) {
	who, ok := identity.From(ctx)
	if !ok || who.Role != identity.Admin {
		return nil, status.Error(codes.PermissionDenied, "activating an agreement needs a token with the role admin")
	}
	x := Activation{Text: req.GetText(), Signatures: req.GetSignatures(), Actor: who.ID}
	if req.GetActiveFrom() != nil {
		if err := req.GetActiveFrom().CheckValid(); err != nil {
			return nil, status.Error(codes.InvalidArgument, "active_from is no instant")
		}
		x.From = req.GetActiveFrom().AsTime()
	}
	row, err := s.ActivateText(ctx, x)
	var faults agreement.Faults
	var refused *RefusedError
	switch {
	case errors.As(err, &faults):
		return nil, status.Error(codes.InvalidArgument, faults.Error())
	case errors.As(err, &refused), errors.Is(err, ErrActivatedBefore):
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	case err != nil:
		return nil, s.internal(ctx, "activate the agreement", err)
	}
	v, err := s.version(ctx, row.Hash)
	return &leadpactv1.ActivateResponse{Version: v}, err
}

// GetActive implements leadpactv1.AgreementServiceServer.
func (s *Service) GetActive(ctx context.Context, _ *leadpactv1.GetActiveRequest) (*leadpactv1.GetActiveResponse, error) {
	v, err := s.version(ctx, "")
	return &leadpactv1.GetActiveResponse{Version: v}, err
}

// GetVersion implements leadpactv1.AgreementServiceServer.
func (s *Service) GetVersion(ctx context.Context, req *leadpactv1.GetVersionRequest) (*leadpactv1.GetVersionResponse, error) {
	if req.GetHash() == "" {
		return nil, status.Error(codes.InvalidArgument, "the hash of a version is missing")
	}
	v, err := s.version(ctx, req.GetHash())
	return &leadpactv1.GetVersionResponse{Version: v}, err
}

// ListVersions implements leadpactv1.AgreementServiceServer.
func (s *Service) ListVersions(ctx context.Context, _ *leadpactv1.ListVersionsRequest) (*leadpactv1.ListVersionsResponse, error) {
	all, err := s.described(ctx)
	if err != nil {
		return nil, err
	}
	out := &leadpactv1.ListVersionsResponse{}
	for i := len(all) - 1; i >= 0; i-- {
		all[i].Text = nil
		out.Versions = append(out.Versions, all[i])
	}
	return out, nil
}

// version is the one with that hash, or the one in force for "". Its errors are statuses.
func (s *Service) version(ctx context.Context, hash string) (*leadpactv1.Version, error) {
	all, err := s.described(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		if hash == "" && v.GetInForce() || hash != "" && v.GetHash() == hash {
			return v, nil
		}
	}
	if hash == "" {
		return nil, status.Error(codes.NotFound, "no agreement is in force yet")
	}
	return nil, status.Errorf(codes.NotFound, "no version of the agreement has the hash %q: leadpact versions lists them", hash)
}

// described are all versions, in the order in which they come into force.
func (s *Service) described(ctx context.Context) ([]*leadpactv1.Version, error) {
	rows, now, err := s.versions(ctx)
	if err != nil {
		return nil, s.internal(ctx, "read the versions of the agreement", err)
	}
	names := map[string]string{} // by key, as the newest version that names it has them
	present := begun(rows, now) - 1
	var out []*leadpactv1.Version
	for i, row := range rows {
		v := &leadpactv1.Version{
			Hash: row.Hash, ActiveFrom: timestamppb.New(row.ActiveFrom), Actor: row.Actor, Text: row.Text, InForce: i == present,
		}
		if a, faults := agreement.Parse("agreement", row.Text); len(faults) == 0 {
			v.Title, v.Version = a.Title, a.Version
			for _, side := range agreement.Sides() {
				names[a.Parties.Of(side).Key] = a.Parties.Of(side).Name
			}
		}
		if seal, faults := agreement.ParseSeal("signatures", row.Signatures); len(faults) == 0 {
			for _, side := range agreement.Sides() {
				if g, ok := seal.Of(side); ok {
					v.Signatures = append(v.Signatures, &leadpactv1.Signature{Side: string(side), Name: names[g.Key], Key: g.Key, Value: g.Value})
				}
			}
		}
		out = append(out, v)
	}
	return out, nil
}
