package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/services/leadpact/sender"
)

// door takes a batch of events as JSON and says what became of it.
type door interface {
	Post(ctx context.Context, webhookID string, body []byte) (sender.Answer, error)
}

// Rehearsal says what a dry run holds the rows against.
type Rehearsal struct {
	// Agreement that the door would map by; nil for the mapping alone.
	Agreement *agreement.Agreement
	// Source of the agreement, by name.
	Source string
}

// door is what stands in for the hook.
func (r *Rehearsal) door() (door, error) {
	if r.Agreement == nil {
		return open{}, nil
	}
	for _, s := range r.Agreement.Sources {
		if s.Name == r.Source {
			return mirror{hook.New(r.Agreement, s)}, nil
		}
	}
	return nil, fmt.Errorf("the agreement has no source %q", r.Source)
}

// open takes everything.
type open struct{}

// Post implements door.
func (open) Post(_ context.Context, _ string, body []byte) (sender.Answer, error) {
	var events []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(body, &events); err != nil {
		return sender.Answer{}, fmt.Errorf("read a batch: %w", err)
	}
	a := sender.Answer{Status: http.StatusAccepted, Tries: 1}
	for _, e := range events {
		a.IDs = append(a.IDs, e.ID)
	}
	return a, nil
}

// mirror takes what the door would take, and keeps nothing.
type mirror struct{ source *hook.Source }

// Post implements door.
func (m mirror) Post(_ context.Context, _ string, body []byte) (sender.Answer, error) {
	read, err := m.source.Read(&hook.Request{
		Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: body,
	}, time.Now())
	if err != nil {
		return sender.Answer{Status: http.StatusBadRequest, Detail: err.Error(), Tries: 1}, nil //nolint:nilerr // the door answers it
	}
	a := sender.Answer{Status: http.StatusAccepted, Tries: 1}
	for _, e := range read.Events {
		a.IDs = append(a.IDs, e.Event.GetId())
	}
	for _, r := range read.Refused {
		a.Refused = append(a.Refused, sender.Refusal{Index: r.Index, ID: r.ID, Type: r.Type, Detail: r.Detail})
	}
	return a, nil
}
