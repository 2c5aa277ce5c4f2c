package handoff

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// TakeRoster stores a new version of the roster with its history, tells it, and applies it; one that is the newest already changes
// nothing. It must fit the agreement in force, or what is wrong is returned as agreement.Faults; what does not fit one that is scheduled is returned, because it
// can still be mended.
func (s *Service) TakeRoster(ctx context.Context, text []byte, actor string) (warnings []agreement.Fault, err error) {
	r, faults := agreement.ParseRoster("roster", text)
	if len(faults) > 0 {
		return nil, agreement.Faults(faults)
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("take up the roster: %w", err)
	}
	current, coming, err := s.versions.from(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("take up the roster: %w", err)
	}
	if current != nil {
		if faults := current.CheckRoster(r); len(faults) > 0 {
			return nil, agreement.Faults(faults)
		}
	}
	for _, a := range coming {
		warnings = append(warnings, a.CheckRoster(r)...)
	}
	row := store.RosterRow{Hash: r.Hash, Text: r.Text, At: now, Actor: actor}
	err = s.store.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
		if row.Version, err = tx.SaveRoster(ctx, row); err != nil || row.Version == 0 {
			return err
		}
		packed, err := event.Pack([]*eventv1.Event{rosterChanged(row, r)}, s.cfg.Partitions)
		if err != nil {
			return err
		}
		return tx.Enqueue(ctx, []store.Message{{Partition: packed[0].Partition, Data: packed[0].Data}})
	})
	if err != nil {
		return nil, fmt.Errorf("store the roster: %w", err)
	}
	if row.Version > 0 {
		s.cfg.Queued()
		s.cfg.Log.InfoContext(ctx, "a new roster applies", "audit", true, "roster", r.Hash, "version", row.Version, "actor", actor)
	}
	if err := s.people.refresh(ctx); err != nil {
		return nil, err
	}
	s.lookAgain()
	return warnings, nil
}

// rosterChanged tells of a roster who it names, by id.
func rosterChanged(row store.RosterRow, r *agreement.Roster) *eventv1.Event {
	return &eventv1.Event{
		Id: event.DerivedID("roster.changed", strconv.FormatInt(row.Version, 10)), Source: event.Handoff,
		OccurredAt: event.Micros(row.At), RecordedAt: event.Micros(row.At), Mode: eventv1.Mode_MODE_LIVE,
		Body: &eventv1.Event_RosterChanged{RosterChanged: &eventv1.RosterChanged{
			Version: row.Version, Hash: row.Hash, Actor: row.Actor, People: r.People(),
		}},
	}
}

// SetRoster implements leadpactv1.HandoffServiceServer.
func (s *Service) SetRoster(ctx context.Context, r *leadpactv1.SetRosterRequest) (*leadpactv1.SetRosterResponse, error) {
	who, ok := identity.From(ctx)
	if !ok || who.Role != identity.Admin {
		return nil, status.Error(codes.PermissionDenied, "changing the roster needs a token with the role admin")
	}
	warnings, err := s.TakeRoster(ctx, r.GetText(), who.ID)
	if faults := agreement.Faults(nil); errors.As(err, &faults) {
		return nil, status.Error(codes.InvalidArgument, faults.Error())
	}
	if err != nil {
		return nil, s.failed(ctx, "change the roster", err)
	}
	row, err := s.store.LatestRoster(ctx)
	if err != nil {
		return nil, s.failed(ctx, "read the roster", err)
	}
	out := &leadpactv1.SetRosterResponse{Roster: told(row)}
	for _, w := range warnings {
		out.Warnings = append(out.Warnings, w.Error())
	}
	return out, nil
}

// ListRosters implements leadpactv1.HandoffServiceServer.
func (s *Service) ListRosters(ctx context.Context, r *leadpactv1.ListRostersRequest) (*leadpactv1.ListRostersResponse, error) {
	if err := responsible(ctx); err != nil {
		return nil, err
	}
	limit, err := bounded(r.GetLimit())
	if err != nil {
		return nil, err
	}
	rows, err := s.store.ListRosters(ctx, limit)
	if err != nil {
		return nil, s.failed(ctx, "read the history of the roster", err)
	}
	out := &leadpactv1.ListRostersResponse{}
	for _, row := range rows {
		out.Rosters = append(out.Rosters, told(row))
	}
	return out, nil
}

// GetRoster implements leadpactv1.HandoffServiceServer.
func (s *Service) GetRoster(ctx context.Context, r *leadpactv1.GetRosterRequest) (*leadpactv1.GetRosterResponse, error) {
	if err := responsible(ctx); err != nil {
		return nil, err
	}
	read := s.store.LatestRoster
	if version := r.GetVersion(); version != 0 {
		read = func(ctx context.Context) (store.RosterRow, error) { return s.store.Roster(ctx, version) }
	}
	row, err := read(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil, status.Error(codes.NotFound, "there is no such roster: ListRosters names those that are there")
	}
	if err != nil {
		return nil, s.failed(ctx, "read the roster", err)
	}
	out := told(row)
	out.Text = row.Text
	return &leadpactv1.GetRosterResponse{Roster: out}, nil
}

// responsible is nil when the caller may see whom the roster names, and when they are away.
func responsible(ctx context.Context) error {
	if who, ok := identity.From(ctx); !ok || who.Role != identity.Manager && who.Role != identity.Admin {
		return status.Error(codes.PermissionDenied, "the history of the roster needs a token with the role manager or admin")
	}
	return nil
}

// told is a roster without its text.
func told(row store.RosterRow) *leadpactv1.Roster {
	return &leadpactv1.Roster{Version: row.Version, Hash: row.Hash, At: timestamppb.New(row.At), Actor: row.Actor}
}
