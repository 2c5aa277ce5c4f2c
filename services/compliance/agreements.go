package compliance

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	"github.com/leadpact/leadpact/services/compliance/ledger"
)

// ErrActivatedBefore: the version was in force once and another is now.
var ErrActivatedBefore = errors.New("this very text was in force before and another is now: change its version line, then activate it")

// FaultsError carries what is wrong with a text.
type FaultsError struct{ Faults []agreement.Fault }

func (e *FaultsError) Error() string {
	lines := make([]string, 0, len(e.Faults))
	for _, f := range e.Faults {
		lines = append(lines, f.Error())
	}
	return strings.Join(lines, "\n")
}

// ActivateText makes text the version in force and queues the event that tells every service. Activating what is in force
// changes nothing. It returns FaultsError when the text has faults, and ErrActivatedBefore.
func (s *Service) ActivateText(ctx context.Context, text []byte, actor string) (store.AgreementRow, error) {
	a, faults := agreement.Parse("agreement", text)
	if len(faults) > 0 {
		return store.AgreementRow{}, &FaultsError{Faults: faults}
	}
	// Before the version is in force: whatever is counted under it has its series.
	if err := s.startAtZero(ctx, a); err != nil {
		return store.AgreementRow{}, err
	}
	now, err := s.cfg.Store.Now(ctx)
	if err != nil {
		return store.AgreementRow{}, fmt.Errorf("activate the agreement: %w", err)
	}
	row := store.AgreementRow{Hash: a.Hash, ActiveFrom: now, Text: text, Actor: actor}
	message, err := activated(row)
	if err != nil {
		return store.AgreementRow{}, err
	}
	fresh, err := s.cfg.Store.Activate(ctx, row, []store.Message{message})
	if err != nil {
		return store.AgreementRow{}, fmt.Errorf("activate the agreement: %w", err)
	}
	if fresh {
		s.cfg.Kick()
		s.cfg.Logger.Info("agreement activated", "hash", row.Hash, "actor", actor)
		return row, nil
	}
	latest, err := s.latest(ctx)
	if err != nil {
		return store.AgreementRow{}, err
	}
	if latest.Hash != row.Hash {
		return store.AgreementRow{}, ErrActivatedBefore
	}
	return latest, nil
}

// startInForce does it for the version in force, if there is one.
func (s *Service) startInForce(ctx context.Context) error {
	row, err := s.latest(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	a, faults := agreement.Parse("agreement", row.Text)
	if len(faults) > 0 {
		return &FaultsError{Faults: faults}
	}
	return s.startAtZero(ctx, a)
}

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

func activated(row store.AgreementRow) (store.Message, error) {
	e := &eventv1.Event{
		Id: row.Hash, Source: event.Compliance, OccurredAt: event.Micros(row.ActiveFrom), RecordedAt: event.Micros(row.ActiveFrom),
		Mode: eventv1.Mode_MODE_LIVE, Agreement: row.Hash,
		Body: &eventv1.Event_AgreementActivated{AgreementActivated: &eventv1.AgreementActivated{
			Hash: row.Hash, ActiveFrom: event.Micros(row.ActiveFrom), Text: row.Text, Actor: row.Actor,
		}},
	}
	data, err := proto.Marshal(&eventv1.Batch{Major: event.Major, Events: []*eventv1.Event{e}})
	if err != nil {
		return store.Message{}, fmt.Errorf("pack the agreement: %w", err)
	}
	return store.Message{Partition: event.AgreementPartition, Data: data}, nil
}

func (s *Service) latest(ctx context.Context) (store.AgreementRow, error) {
	rows, err := s.cfg.Store.ListAgreements(ctx)
	if err != nil {
		return store.AgreementRow{}, fmt.Errorf("read the versions of the agreement: %w", err)
	}
	if len(rows) == 0 {
		return store.AgreementRow{}, store.ErrNotFound
	}
	return rows[len(rows)-1], nil
}

// Activate implements leadpactv1.AgreementServiceServer.
func (s *Service) Activate(ctx context.Context, req *leadpactv1.ActivateRequest) (*leadpactv1.ActivateResponse, error) {
	who, ok := identity.From(ctx)
	if !ok || who.Role != identity.Admin {
		return nil, status.Error(codes.PermissionDenied, "activating an agreement needs a token with the role admin")
	}
	row, err := s.ActivateText(ctx, req.GetText(), who.ID)
	var faults *FaultsError
	switch {
	case errors.As(err, &faults):
		return nil, status.Error(codes.InvalidArgument, faults.Error())
	case errors.Is(err, ErrActivatedBefore):
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	case err != nil:
		return nil, s.internal(ctx, "activate the agreement", err)
	}
	return &leadpactv1.ActivateResponse{Version: version(row)}, nil
}

// GetActive implements leadpactv1.AgreementServiceServer.
func (s *Service) GetActive(ctx context.Context, _ *leadpactv1.GetActiveRequest) (*leadpactv1.GetActiveResponse, error) {
	row, err := s.latest(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil, status.Error(codes.NotFound, "no agreement was activated yet")
	}
	if err != nil {
		return nil, s.internal(ctx, "read the agreement", err)
	}
	return &leadpactv1.GetActiveResponse{Version: version(row)}, nil
}

// ListVersions implements leadpactv1.AgreementServiceServer.
func (s *Service) ListVersions(ctx context.Context, _ *leadpactv1.ListVersionsRequest) (*leadpactv1.ListVersionsResponse, error) {
	rows, err := s.cfg.Store.ListAgreements(ctx)
	if err != nil {
		return nil, s.internal(ctx, "read the versions of the agreement", err)
	}
	out := &leadpactv1.ListVersionsResponse{}
	for i := len(rows) - 1; i >= 0; i-- {
		v := version(rows[i])
		v.Text = nil
		out.Versions = append(out.Versions, v)
	}
	return out, nil
}

func version(row store.AgreementRow) *leadpactv1.Version {
	v := &leadpactv1.Version{Hash: row.Hash, ActiveFrom: timestamppb.New(row.ActiveFrom), Actor: row.Actor, Text: row.Text}
	if a, faults := agreement.Parse("agreement", row.Text); len(faults) == 0 {
		v.Title = a.Title
	}
	return v
}
