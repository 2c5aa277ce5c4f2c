package compliance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Activation is a text that shall come into force.
type Activation struct {
	Text []byte
	// Signatures is the file beside it; empty for none.
	Signatures []byte
	// From is when; the zero time is as soon as every service can know of it: at once for the first version, else after a notice.
	From  time.Time
	Actor string
	// Trial takes a text unsigned that names no keys, unless it follows one that does.
	Trial bool
}

// ErrActivatedBefore: the version was in force once and another is now.
var ErrActivatedBefore = errors.New("this very text was in force before and another is now: change its version line, then activate it")

// RefusedError says why a text without faults does not come into force.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return e.Why }

func refuse(format string, args ...any) error {
	return &RefusedError{Why: fmt.Sprintf(format, args...)}
}

// ActivateText stores a version with the time from which it is in force, and queues the event that tells every service. The version that is
// in force, or the last one that is scheduled, is answered as it is. It returns agreement.Faults, RefusedError and ErrActivatedBefore.
func (s *Service) ActivateText(ctx context.Context, x Activation) (store.AgreementRow, error) {
	none := store.AgreementRow{}
	a, faults := agreement.Parse("agreement", x.Text)
	if len(faults) > 0 {
		return none, agreement.Faults(faults)
	}
	rows, now, err := s.versions(ctx)
	if err != nil {
		return none, err
	}
	if i := slices.IndexFunc(rows, func(row store.AgreementRow) bool { return row.Hash == a.Hash }); i >= 0 {
		return known(rows, i, x, now)
	}
	row := store.AgreementRow{Hash: a.Hash, Text: a.Text, Actor: x.Actor}
	var last store.AgreementRow // which it follows
	if len(rows) > 0 {
		last = rows[len(rows)-1]
	}
	if row.Signatures, err = x.seal(a, last); err != nil {
		return none, err
	}
	if row.ActiveFrom, err = x.from(last, now, s.cfg.Notice); err != nil {
		return none, err
	}
	// Before the version is in force: whatever is counted under it has its series.
	if err := s.startAtZero(ctx, a); err != nil {
		return none, err
	}
	message, err := activated(row, now)
	if err != nil {
		return none, err
	}
	fresh, err := s.cfg.Store.Activate(ctx, row, last.Hash, []store.Message{message})
	if errors.Is(err, store.ErrConflict) || err == nil && !fresh {
		return none, refuse("somebody activated a version at the same moment: look at leadpact versions, then activate again")
	}
	if err != nil {
		return none, fmt.Errorf("activate the agreement: %w", err)
	}
	s.cfg.Kick()
	s.cfg.Logger.InfoContext(ctx, "agreement activated", "audit", true, "hash", row.Hash, "active_from", row.ActiveFrom, "actor", x.Actor)
	if len(row.Signatures) == 0 {
		s.cfg.Logger.InfoContext(ctx, "the agreement is unsigned: it names no keys", "hash", row.Hash)
	}
	return row, nil
}

// known answers for a version that is stored already.
func known(rows []store.AgreementRow, i int, x Activation, now time.Time) (store.AgreementRow, error) {
	row := rows[i]
	switch scheduled := row.ActiveFrom.After(now); {
	case !scheduled && i != begun(rows, now)-1:
		return store.AgreementRow{}, ErrActivatedBefore
	case scheduled && !x.From.IsZero() && !x.From.Equal(row.ActiveFrom):
		return store.AgreementRow{}, refuse("this very text is scheduled for %s already: change its version line to schedule it anew", said(row.ActiveFrom))
	}
	return row, nil
}

// seal checks the signatures on a text that follows last, and returns them as they are kept.
func (x Activation) seal(a *agreement.Agreement, last store.AgreementRow) ([]byte, error) {
	var before *agreement.Agreement
	if last.Hash != "" {
		var faults []agreement.Fault
		if before, faults = agreement.Parse("agreement "+last.Hash, last.Text); len(faults) > 0 {
			return nil, fmt.Errorf("the version that it follows cannot be read by this program: %w", faults[0])
		}
	}
	trusted, err := a.Trusted(before)
	if err != nil {
		return nil, refuse("%v", err)
	}
	if !trusted.Sign() {
		if x.Trial {
			return nil, nil
		}
		return nil, refuse("the agreement is unsigned, and names no keys to sign it with: leadpact keygen makes one for each side; write them " +
			"into its parties, and let both sign with leadpact sign. For a trial, leadpact serve --agreement takes it as it is")
	}
	seal, faults := agreement.ParseSeal("signatures", x.Signatures)
	if len(faults) == 0 {
		faults = seal.Verify(a, trusted)
	}
	if len(faults) > 0 {
		return nil, agreement.Faults(faults)
	}
	return seal.Text(), nil
}

// from is when the version comes into force. One that follows another does so after a notice, so that every service has it before; and
// never before one that is scheduled, because each is checked against the one before it.
func (x Activation) from(last store.AgreementRow, now time.Time, notice time.Duration) (time.Time, error) {
	earliest := now
	if last.Hash != "" {
		earliest = now.Add(notice)
	}
	from := x.From.UTC().Truncate(time.Microsecond)
	switch {
	case x.From.IsZero():
		from = earliest
	case from.Before(now):
		return from, refuse("it cannot come into force at %s, which lies in the past: it is %s", said(from), said(now))
	case from.After(now.AddDate(1, 0, 0)):
		return from, refuse("%s is more than a year ahead, and what is scheduled stays, so that nothing could come before it: is the year right? Name a time until %s", said(from), said(now.AddDate(1, 0, 0)))
	case from.Before(earliest):
		return from, refuse("%s is too near: every service must know a version %s before it comes into force; name a later time, or none", said(from), notice)
	}
	if last.Hash != "" && !from.After(last.ActiveFrom) {
		return from, refuse("a version is scheduled for %s already, and stays: name a later time", said(last.ActiveFrom))
	}
	return from, nil
}

func said(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func activated(row store.AgreementRow, now time.Time) (store.Message, error) {
	e := &eventv1.Event{
		Id: row.Hash, Source: event.Compliance, OccurredAt: event.Micros(now), RecordedAt: event.Micros(now),
		Mode: eventv1.Mode_MODE_LIVE, Agreement: row.Hash,
		Body: &eventv1.Event_AgreementActivated{AgreementActivated: &eventv1.AgreementActivated{
			Hash: row.Hash, ActiveFrom: event.Micros(row.ActiveFrom), Text: row.Text, Actor: row.Actor, Signatures: row.Signatures,
		}},
	}
	data, err := proto.Marshal(&eventv1.Batch{Major: event.Major, Events: []*eventv1.Event{e}})
	if err != nil {
		return store.Message{}, fmt.Errorf("pack the agreement: %w", err)
	}
	return store.Message{Partition: event.AgreementPartition, Data: data}, nil
}

// versions are all that are stored, in the order in which they come into force, and what time it is.
func (s *Service) versions(ctx context.Context) ([]store.AgreementRow, time.Time, error) {
	rows, err := s.cfg.Store.ListAgreements(ctx)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read the versions of the agreement: %w", err)
	}
	now, err := s.cfg.Store.Now(ctx)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read the versions of the agreement: %w", err)
	}
	return rows, now, nil
}

// begun counts the versions that came into force so far: the last of them is in force.
func begun(rows []store.AgreementRow, now time.Time) int {
	n := slices.IndexFunc(rows, func(row store.AgreementRow) bool { return row.ActiveFrom.After(now) })
	if n < 0 {
		return len(rows)
	}
	return n
}

// startInForce does it for the version in force, and for those that are scheduled.
func (s *Service) startInForce(ctx context.Context) error {
	rows, now, err := s.versions(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows[max(begun(rows, now)-1, 0):] {
		a, faults := agreement.Parse("agreement", row.Text)
		if len(faults) > 0 {
			return agreement.Faults(faults)
		}
		if err := s.startAtZero(ctx, a); err != nil {
			return err
		}
	}
	return nil
}
