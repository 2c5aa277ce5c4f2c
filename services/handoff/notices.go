package handoff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// notice is one thing to tell, before it is known to whom.
type notice struct {
	typ string
	// about tells notices of one type apart, for ever.
	about                  string
	rep, assignment, clock string
}

// notify queues a notice for each address once. Its key is made of what it tells, so work that is done twice tells it once.
func (d *desk) notify(f *file, n notice, to []string) {
	for _, endpoint := range distinct(to) {
		d.notices = append(d.notices, store.Notice{
			Key: "notice_" + event.DerivedID(n.typ, n.about, endpoint), Endpoint: endpoint, Type: n.typ,
			Lead: f.handoff.Lead, Cycle: f.handoff.Cycle, Assignment: n.assignment, Clock: n.clock, Rep: n.rep,
			CreatedAt: d.now, State: store.NoticePending, NextAt: d.now,
		})
	}
}

// managers are the addresses of those who answer for a lead: the owner's manager, or those of all teams of its pool.
func (d *desk) managers(f *file) []string {
	var names []string
	if f.live != nil {
		names = []string{f.live.Team}
	} else if version := d.versions.cached(f.handoff.Agreement); version != nil {
		names = version.TeamsOf(f.handoff.Pool)
	}
	var out []string
	for _, team := range names {
		if manager := d.roster.managers[team]; manager != "" {
			out = append(out, d.roster.addresses(manager)...)
		}
	}
	return out
}

// payload is a notice's body, as Standard Webhooks lays it out.
type payload struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      content   `json:"data"`
}

type content struct {
	Lead       string `json:"lead"`
	Cycle      uint32 `json:"cycle"`
	Pool       string `json:"pool,omitempty"`
	Grade      string `json:"grade,omitempty"`
	Rep        string `json:"rep,omitempty"`
	Assignment string `json:"assignment,omitempty"`
	// Live: the assignment is still the rep's at the moment of sending.
	Live bool `json:"live"`
	// Clock that the notice is about.
	Clock *deadline `json:"clock,omitempty"`
	// Clocks that run on the assignment, the nearest deadline first.
	Clocks  []deadline `json:"clocks,omitempty"`
	Contact *contact   `json:"contact,omitempty"`
}

type deadline struct {
	Name  string    `json:"name"`
	DueAt time.Time `json:"due_at"`
	State string    `json:"state"`
	// RespondedAt is when it had been kept although it is recorded as breached. One that was withdrawn instead is in state withdrawn.
	RespondedAt time.Time `json:"responded_at,omitzero"`
}

type contact struct {
	Name   string            `json:"name,omitempty"`
	Email  string            `json:"email,omitempty"`
	Phone  string            `json:"phone,omitempty"`
	Fields map[string]string `json:"fields,omitempty"`
}

// render writes a notice as things stand when it is sent: the contact card goes only to the rep who has the lead then.
func (s *Service) render(ctx context.Context, n store.Notice) ([]byte, error) {
	p := payload{Type: n.Type, Timestamp: n.CreatedAt, Data: content{Lead: n.Lead, Cycle: n.Cycle, Rep: n.Rep, Assignment: n.Assignment}}
	h, err := s.store.HandoffOf(ctx, n.Lead)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	err = s.store.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error { return p.Data.read(ctx, tx, n) })
	if err != nil {
		return nil, fmt.Errorf("read lead %s for a notice: %w", n.Lead, err)
	}
	if h.Cycle == n.Cycle {
		p.Data.Pool, p.Data.Grade = h.Pool, h.Grade
		if p.Data.Live {
			p.Data.Contact = fromCard(card(h.Contact))
		}
	}
	return json.Marshal(p)
}

// read fills in the clocks, and whether the assignment lives.
func (c *content) read(ctx context.Context, tx store.HandoffTx, n store.Notice) error {
	live, err := tx.LiveAssignments(ctx, []string{n.Lead})
	if err != nil {
		return err
	}
	c.Live = n.Assignment != "" && live[n.Lead].ID == n.Assignment
	c.Clocks = nil // the transaction may be tried again
	open, err := tx.OpenClocks(ctx, []store.HandoffKey{{Lead: n.Lead, Cycle: n.Cycle}})
	if err != nil {
		return err
	}
	for _, r := range open {
		if c.Live && r.Assignment == n.Assignment {
			c.Clocks = append(c.Clocks, deadline{Name: r.Name, DueAt: r.DueAt, State: r.State})
		}
	}
	if n.Clock == "" {
		return nil
	}
	about, err := tx.Clocks(ctx, []string{n.Clock})
	if err == nil && len(about) == 1 {
		c.Clock = &deadline{Name: about[0].Name, DueAt: about[0].DueAt, State: about[0].State, RespondedAt: about[0].RespondedAt}
		if about[0].Witness == event.Scoring {
			c.Clock.State, c.Clock.RespondedAt = withdrawn, time.Time{}
		}
	}
	return err
}

func fromCard(c *leadpactv1.ContactCard) *contact {
	if c == nil {
		return nil
	}
	return &contact{Name: c.GetName(), Email: c.GetEmail(), Phone: c.GetPhone(), Fields: c.GetFields()}
}
