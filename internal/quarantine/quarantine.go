// Package quarantine answers leadpact.v1.QuarantineService: it shows what each service of a process could not take in, and leads it out
// again. Each service says by a Room how it tries a row again; what a row is worth, and that one holds up no other, is decided here.
package quarantine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// Trial says how a row is tried again.
type Trial struct {
	// Dry: nothing changes.
	Dry bool
	// Agreement takes the place of the one in force, in a dry trial; nil is the one in force.
	Agreement *agreement.Agreement
}

// Outcome is what became of a row.
type Outcome string

// The outcomes.
const (
	// Applied: it has left the quarantine; all of it is taken in now, or was before.
	Applied Outcome = "applied"
	// Kept: it stays, with one attempt more and the reason.
	Kept Outcome = "kept"
	// Later: a passing failure; nothing has changed.
	Later Outcome = "later"
	// Gone: it does not wait any more.
	Gone Outcome = "gone"
)

// The results of an event of a row.
const (
	EventApplied   = "applied"
	EventDuplicate = "duplicate"
	EventConflict  = "conflict"
	EventRefused   = "refused"
)

// Event is what became of one event of a row.
type Event struct {
	ID, Kind, Result, Reason, Lead string
	// Stages that the lead enters.
	Stages []string
}

// Verdict is what became of a row, or would.
type Verdict struct {
	Outcome Outcome
	Reason  string
	Events  []Event
	// Skipped counts what the mapping leaves out.
	Skipped int
}

// Room is one service's quarantine.
type Room struct {
	Store store.Base
	// Retry tries a row again, and settles it in the store unless the trial is dry. A bus.Permanent error says why the row must stay, and
	// leaves it to the caller to write that down; the verdict that comes with it counts as far as it goes. Any other error passes.
	Retry func(ctx context.Context, row store.Quarantined, t Trial) (Verdict, error)
}

// Service answers for the rooms of one process.
type Service struct {
	leadpactv1.UnimplementedQuarantineServiceServer

	rooms map[string]Room
	names []string // sorted
	log   *slog.Logger
}

var _ leadpactv1.QuarantineServiceServer = (*Service)(nil)

// New makes a Service of rooms by the names of their services.
func New(rooms map[string]Room, log *slog.Logger) (*Service, error) {
	if len(rooms) == 0 || log == nil {
		return nil, errors.New("make the quarantine's service: at least one room, and the log, are needed")
	}
	for name, r := range rooms {
		if r.Store == nil || r.Retry == nil {
			return nil, fmt.Errorf("make the quarantine's service: the room of %s has no store, or no way to retry", name)
		}
	}
	return &Service{rooms: rooms, names: slices.Sorted(maps.Keys(rooms)), log: log}, nil
}

// admit returns who calls, and the names of the rooms that he asks for.
func (s *Service) admit(ctx context.Context, service string) (by string, rooms []string, err error) {
	who, ok := identity.From(ctx)
	if !ok || who.Role != identity.Admin {
		return "", nil, status.Error(codes.PermissionDenied, "what waits in quarantine is personal data, raw: it needs a token with the role admin")
	}
	if service == "" {
		return who.ID, s.names, nil
	}
	if _, ok := s.rooms[service]; !ok {
		return "", nil, status.Errorf(codes.FailedPrecondition, "this process answers for the quarantine of %s: ask one with the role %q",
			strings.Join(s.names, ", "), service)
	}
	return who.ID, []string{service}, nil
}

// at is a row with its room's name.
type at struct {
	service string
	store.Quarantined
}

// find returns the row of a key, without its bytes or whole. Errors are statuses.
func (s *Service) find(ctx context.Context, rooms []string, key string) (at, error) {
	var found []at
	for _, name := range rooms {
		row, err := s.rooms[name].Store.Quarantined(ctx, key)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return at{}, s.failed(ctx, "read the quarantine of "+name, err)
		default:
			found = append(found, at{name, row})
		}
	}
	switch len(found) {
	case 0:
		return at{}, status.Errorf(codes.NotFound, "nothing with the key %q waits in the quarantine of %s", key, strings.Join(rooms, ", "))
	case 1:
		return found[0], nil
	}
	return at{}, status.Errorf(codes.FailedPrecondition, "the key %q waits with %s and with %s: name the service", key, found[0].service, found[1].service)
}

// page returns up to limit rows of rooms, in order of room and arrival, and where the next page begins, "" at the end.
func (s *Service) page(ctx context.Context, rooms []string, source, token string, limit int) (out []at, next string, err error) {
	first, after, err := parseToken(token)
	if err != nil {
		return nil, "", status.Error(codes.InvalidArgument, err.Error())
	}
	for _, name := range rooms {
		if name < first {
			continue
		}
		search := store.Search{Source: source, Limit: limit + 1 - len(out)}
		if name == first {
			search.After = after
		}
		rows, err := s.rooms[name].Store.ListQuarantined(ctx, search)
		if err != nil {
			return nil, "", s.failed(ctx, "list the quarantine of "+name, err)
		}
		for _, row := range rows {
			if len(out) == limit {
				return out, tokenOf(out[limit-1]), nil
			}
			out = append(out, at{name, row})
		}
	}
	return out, "", nil
}

// failed turns an error of ours into an answer; what a caller can do nothing about is logged, not told.
func (s *Service) failed(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	s.log.ErrorContext(ctx, "a call failed", "doing", doing, "error", err)
	return status.Error(codes.Unavailable, "could not "+doing+": try again")
}
