package scoring

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// refusedHook is the row that keeps a webhook which the door could not take in. It is kept once however often it is
// sent. An error is the event's own fault.
func refusedHook(e *eventv1.Event) (store.Quarantined, error) {
	h := e.GetHookRefused()
	switch {
	case e.GetSource() == "" || e.GetId() == "":
		return store.Quarantined{}, errors.New("it has no source or no id")
	case len(h.GetDigest()) != sha256.Size:
		return store.Quarantined{}, errors.New("it has no digest to know it by")
	case e.GetRecordedAt() <= 0:
		return store.Quarantined{}, errors.New("it does not say when it was recorded")
	}
	bare, err := bareHook(e, h.GetRefused())
	if err != nil {
		return store.Quarantined{}, err
	}
	return store.Quarantined{
		Key: hook.RefusedKey(h), Kind: store.RefusedHook, Source: e.GetSource(), EventID: e.GetId(), Raw: h.GetBody(), Hook: bare,
		Agreement: e.GetAgreement(), Reason: h.GetReason(), Attempts: 1, At: event.Time(e.GetRecordedAt()),
	}, nil
}

// bareHook is the event of a refused webhook without its body and reason, which stand in columns of their own, and with the places of
// the events that still wait.
func bareHook(e *eventv1.Event, refused []uint32) ([]byte, error) {
	h := e.GetHookRefused()
	out, err := proto.MarshalOptions{Deterministic: true}.Marshal(&eventv1.Event{
		Id: e.GetId(), Source: e.GetSource(), RecordedAt: e.GetRecordedAt(), Mode: e.GetMode(), Agreement: e.GetAgreement(),
		Body: &eventv1.Event_HookRefused{HookRefused: &eventv1.HookRefused{Digest: h.GetDigest(), Headers: h.GetHeaders(), Refused: refused}},
	})
	if err != nil {
		return nil, fmt.Errorf("encode it: %w", err)
	}
	return out, nil
}

// overflow counts and tells the webhooks for which there was no room.
func (s *Service) overflow(hooks []store.Quarantined, kept []bool) {
	for i, row := range hooks {
		if !kept[i] {
			s.metrics.overflow.WithLabelValues(row.Source).Inc()
			s.log.Warn("a refused webhook is not kept: the quarantine of its source is full; mend the mapping, and retry or drop what waits", "source", row.Source, "key", row.Key)
		}
	}
}
