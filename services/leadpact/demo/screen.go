package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Paces in people a second: a person reads along, a machine does not.
const (
	readablePace = 0.7
	machinePace  = 4
)

// Screen is the live ticker. A nil Screen shows nothing.
type Screen struct {
	out io.Writer
	// live redraws a status line at the bottom; colour paints. Both only on a terminal.
	live, colour bool

	mu    sync.Mutex
	play  *play
	seen  map[string]bool
	count struct{ leads, mql, assigned, kept, breached, won int }
}

// NewScreen returns a ticker on out.
func NewScreen(out io.Writer, live, colour bool) *Screen {
	return &Screen{out: out, live: live, colour: colour, seen: map[string]bool{}}
}

func (s *Screen) pace() float64 {
	if s == nil {
		return machinePace
	}
	return readablePace
}

// open says where everything is.
func (s *Screen) open(p *play) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.play = p
	_, _ = fmt.Fprintf(s.out, `%s

  webhooks  http://%[2]s/v1/hooks/{website,forms,crm}
  metrics   http://%[2]s/metrics
  gRPC      %s   token: %s
  stop      Ctrl-C; it ends by itself after %s and leaves nothing behind

  be a lead yourself:
    curl -d '{"id":"me-1","type":"form_submitted","email":"me@example.com","hand_raiser":true}' \
      -H 'Content-Type: application/json' -H 'Authorization: Bearer %s' http://%[2]s/v1/hooks/crm

`, s.paint(bold, "leadpact: an agreement of seconds, simulated marketing, six reps; sam stays silent"),
		p.app.HTTPAddr(), p.app.GRPCAddr(), p.app.AdminToken(), p.o.Duration, p.secrets["env:LEADPACT_DEMO_CRM"])
}

// draw keeps the status line alive until ctx ends.
func (s *Screen) draw(ctx context.Context) {
	if s == nil || !s.live {
		<-ctx.Done()
		return
	}
	t := time.NewTicker(200 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.mu.Lock()
			s.status()
			s.mu.Unlock()
		}
	}
}

// closing says what the wait is for.
func (s *Screen) closing() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	_, _ = fmt.Fprintln(s.out, "\nthe play is over; waiting for the last events, then checking every promise …")
}

// see shows what passes by.
func (s *Screen) see(events []*eventv1.Event) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		key := e.GetSource() + "\n" + e.GetId()
		if e.GetSource() == event.Handoff || e.GetSource() == event.Scoring {
			if s.seen[key] {
				continue
			}
			s.seen[key] = true
		}
		s.show(e)
	}
}

func (s *Screen) show(e *eventv1.Event) {
	switch b := e.GetBody().(type) {
	case *eventv1.Event_LeadStaged:
		st := b.LeadStaged
		switch st.GetTo() {
		case "lead":
			s.count.leads++
			s.line(e, dim, "·", fmt.Sprintf("new lead by %s", st.GetChannel()))
		case "mql":
			s.count.mql++
			s.line(e, plain, "▲", fmt.Sprintf("MQL, grade %s, score %.0f (%s)", st.GetGrade(), st.GetScore(), because(st.GetReasons())))
		case "sal", "sql":
			s.line(e, plain, "▲", strings.ToUpper(st.GetTo()))
		case "won":
			s.count.won++
			s.line(e, green, "★", "won")
		case "lost", "recycled":
			s.line(e, dim, "○", st.GetTo())
		}
	case *eventv1.Event_HandoffAssigned:
		s.count.assigned++
		t := b.HandoffAssigned.GetTerms()
		text := fmt.Sprintf("handed to %s (%s)", t.GetRep(), t.GetTeam())
		if b.HandoffAssigned.GetN() > 1 {
			text = fmt.Sprintf("handed on to %s (%s)", t.GetRep(), t.GetTeam())
		}
		s.line(e, plain, "→", text)
	case *eventv1.Event_HandoffWaiting:
		s.line(e, yellow, "…", "nobody is eligible: "+b.HandoffWaiting.GetReason())
	case *eventv1.Event_ClockWarned:
		c := b.ClockWarned.GetClock()
		s.line(e, yellow, "◔", fmt.Sprintf("%s: %d%% of %s gone for %s", c.GetName(), b.ClockWarned.GetPercent(), within(c), who(c)))
	case *eventv1.Event_ClockMet:
		s.count.kept++
		c := b.ClockMet.GetClock()
		left := event.Time(c.GetDueAt()).Sub(event.Time(b.ClockMet.GetStoppedAt()))
		s.line(e, green, "✓", fmt.Sprintf("%s kept by %s with %.1f s left", c.GetName(), who(c), left.Seconds()))
	case *eventv1.Event_ClockBreached:
		s.count.breached++
		c := b.ClockBreached.GetClock()
		s.line(e, red, "✗", fmt.Sprintf("BREACH: %s of %s missed by %s; remedy: %s", c.GetName(), within(c), who(c), b.ClockBreached.GetRemedy()))
	case *eventv1.Event_ClockCorrected:
		c := b.ClockCorrected.GetClock()
		if b.ClockCorrected.GetBy() == "withdrawn" {
			s.line(e, green, "✓", c.GetName()+" had been withdrawn before it was due")
			break
		}
		s.line(e, green, "✓", fmt.Sprintf("%s had been kept by %s: %s told it late", c.GetName(), who(c), b.ClockCorrected.GetSource()))
	}
}

// line prints one event above the status line.
func (s *Screen) line(e *eventv1.Event, colour, mark, text string) {
	if s.play == nil {
		return
	}
	s.clear()
	at := max(event.Time(e.GetRecordedAt()).Sub(s.play.began), 0)
	_, _ = fmt.Fprintf(s.out, "%s  %s  %s %s\n", s.paint(dim, fmt.Sprintf("%02d:%04.1f", int(at.Minutes()), at.Seconds()-60*float64(int(at.Minutes())))),
		s.paint(dim, short(e.GetLead())), s.paint(colour, mark), s.paint(colour, text))
	s.status()
}

func (s *Screen) status() {
	if !s.live || s.play == nil {
		return
	}
	c := s.count
	_, _ = fmt.Fprintf(s.out, "\r\033[K%s", s.paint(bold, fmt.Sprintf(" %s  leads %d · MQL %d · handed %d · kept %d · breached %d · won %d ",
		time.Since(s.play.began).Round(time.Second), c.leads, c.mql, c.assigned, c.kept, c.breached, c.won)))
}

func (s *Screen) clear() {
	if s.live {
		_, _ = fmt.Fprint(s.out, "\r\033[K")
	}
}

// Colours.
const (
	plain  = ""
	bold   = "\033[1m"
	dim    = "\033[2m"
	red    = "\033[1;31m"
	green  = "\033[32m"
	yellow = "\033[33m"
)

func (s *Screen) paint(colour, text string) string {
	if !s.colour || colour == plain {
		return text
	}
	return colour + text + "\033[0m"
}

// short is enough of an id to follow a lead with the eye.
func short(id string) string {
	if len(id) > 6 {
		return id[:6]
	}
	return fmt.Sprintf("%-6s", id)
}

func who(c *eventv1.Clock) string {
	if r := c.GetTerms().GetRep(); r != "" {
		return r
	}
	return "everyone"
}

func within(c *eventv1.Clock) string {
	return (time.Duration(c.GetWithin()) * time.Microsecond).String()
}

func because(reasons []*eventv1.Reason) string {
	var parts []string
	for _, r := range reasons {
		parts = append(parts, fmt.Sprintf("%s %+.0f", r.GetRule(), r.GetPoints()))
	}
	if len(parts) == 0 {
		return "asked for help"
	}
	return strings.Join(parts, ", ")
}
