package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// keep makes a body durable that proved its sender and cannot be taken in: it goes through the log into quarantine, where a changed
// mapping is tried on it, so that a sender which never comes again loses nothing. It returns p, the answer, when the body is safe, and
// else one that lets the sender come again. refused are the events of a body of which the others are taken; then p is nil.
func (s *Service) keep(ctx context.Context, d *door, r *hook.Request, now time.Time, reason string, p *Problem, refused ...hook.Refusal) *Problem {
	e, err := d.refusal(r, now, reason, refused)
	if err != nil {
		s.cfg.Logger.Error("a refused body is not kept", "source", d.source.Name, "error", err)
		return p
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Patience)
	defer cancel()
	err = s.commit(ctx, d.share, []hook.Event{e})
	switch {
	case errors.Is(err, errNoisy):
		return noisy()
	case err != nil:
		s.cfg.Logger.Warn("a refused body is not kept yet", "source", d.source.Name, "error", err)
		return unavailable("the event log did not acknowledge in time")
	}
	s.metrics.kept.WithLabelValues(d.source.Name).Inc()
	return p
}

// whyOf is the reason why a body with refused events is kept, in the words of a retry.
func whyOf(in hook.Read) string {
	first := in.Refused[0].Detail
	if all := len(in.Events) + len(in.Refused); all > 1 {
		return fmt.Sprintf("%d of %d events, the first: %s", len(in.Refused), all, first)
	}
	return first
}

// refusal is the event that carries a refused body. It holds nothing that proves the sender.
func (d *door) refusal(r *hook.Request, now time.Time, reason string, refused []hook.Refusal) (hook.Event, error) {
	body, err := d.blanked(r.Body)
	if err != nil {
		return hook.Event{}, err
	}
	digest := hook.Digest(d.source.Name, r.Body)
	h := &eventv1.HookRefused{Body: body, Digest: digest, Headers: d.meaningful(r.Header), Reason: strings.ToValidUTF8(reason, "\uFFFD")}
	for _, one := range refused {
		h.Refused = append(h.Refused, uint32(one.Index))
	}
	key := hook.RefusedKey(h)
	e := &eventv1.Event{
		Id: event.DerivedID("hook.refused", d.source.Name, key), Source: d.source.Name, OccurredAt: event.Micros(now), RecordedAt: event.Micros(now),
		Mode: eventv1.Mode_MODE_LIVE, Agreement: d.agreement, Body: &eventv1.Event_HookRefused{HookRefused: h},
	}
	wire, err := event.Marshal(e)
	if err != nil {
		return hook.Event{}, fmt.Errorf("encode it: %w", err)
	}
	return hook.Event{Event: e, Key: key, Wire: wire}, nil
}

// blanked is the body without the secret that proved it, when it is one that stands there.
func (d *door) blanked(body []byte) ([]byte, error) {
	if d.source.Verify.Kind != preset.Body {
		return body, nil
	}
	seen := false
	for _, secret := range d.secrets {
		out, found := hook.Blank(body, secret)
		body, seen = out, seen || found
	}
	if !seen {
		return nil, errors.New("the secret in it is written in a way that cannot be blanked")
	}
	return body, nil
}

// meaningful are the headers that reading a body depends on, sorted, without the one that proves it, and without an id that nobody
// believes: with each that he makes up, whoever got hold of a signed body would have a place more in quarantine.
func (d *door) meaningful(h http.Header) []*eventv1.Header {
	var out []*eventv1.Header
	for name, values := range h {
		switch {
		case strings.EqualFold(name, d.source.Verify.Header), strings.EqualFold(name, "Authorization"):
			continue
		case name == "Content-Type", name == "Content-Encoding", strings.HasPrefix(name, "Ce-"):
		case d.source.BelievesID() && (name == "Webhook-Id" || strings.EqualFold(name, d.source.Tool.IDHeader)):
		default:
			continue
		}
		for _, v := range values {
			out = append(out, &eventv1.Header{Name: name, Value: strings.ToValidUTF8(v, "\uFFFD")}) // as a message must have it
		}
	}
	slices.SortStableFunc(out, func(a, b *eventv1.Header) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out
}
