package demo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/services/leadpact/app"
	"github.com/leadpact/leadpact/services/leadpact/referee"
	"github.com/leadpact/leadpact/services/leadpact/verify"
)

// Summary is what a demonstration came to. The referee's words stand beside what the stores and the three surfaces say.
type Summary struct {
	Seed     uint64 `json:"seed"`
	Duration string `json:"duration"`
	// Plan is a hash over the ids and bodies that one seed sends.
	Plan   string `json:"plan"`
	Events Events `json:"events"`
	// Leads that exist, and how many stand at each stage.
	Leads  int            `json:"leads"`
	Stages map[string]int `json:"stages"`
	referee.Verdict
	// Seen is the number of breaches on each surface.
	Seen struct {
		Referee int `json:"referee"`
		GRPC    int `json:"grpc"`
		Metrics int `json:"metrics"`
	} `json:"breaches_seen"`
	Notices Notices  `json:"notices"`
	Verify  []string `json:"verify"`
	// Wrong is everything that should not have happened, and why the demonstration failed.
	Wrong []string `json:"wrong,omitempty"`
}

// Events are counted by the senders; applied and quarantined by the stores.
type Events struct {
	Sent        int `json:"sent"`
	Accepted    int `json:"accepted"`
	Refused     int `json:"refused"`
	Applied     int `json:"applied"`
	Duplicate   int `json:"duplicate"`
	Quarantined int `json:"quarantined"`
}

// sum waits until everything has arrived, and counts.
func (p *play) sum(ctx context.Context, requests []request) (Summary, error) {
	s := Summary{Seed: p.o.Seed, Duration: p.o.Duration.String(), Plan: digest(requests), Stages: map[string]int{}}
	stores, err := app.OpenStores(ctx, filepath.Join(p.dir, "data"), "", []string{event.Scoring, event.Handoff, event.Compliance}, app.Look)
	if err != nil {
		return s, err
	}
	defer stores.Close() // only read
	s.Events.Sent, s.Events.Accepted, s.Events.Refused = p.senders.sent, len(p.senders.accepted), p.senders.refused

	// The invariants first: verify waits for lag and queues to end.
	var lines bytes.Buffer
	err = verify.Run(ctx, verify.Options{
		Stores: stores, Accepted: acceptedList(p.senders.accepted), Doors: []string{p.app.HTTPAddr()}, Patience: settle, Out: &lines,
	})
	s.Verify = strings.Split(strings.TrimSpace(lines.String()), "\n")
	if err != nil && !errors.Is(err, verify.ErrBroken) {
		return s, err
	}
	if err != nil {
		s.Wrong = append(s.Wrong, "verify found a broken promise")
	}
	if err := p.countLeads(ctx, stores, &s); err != nil {
		return s, err
	}
	repeated, err := p.look(ctx, &s)
	if err != nil {
		return s, err
	}
	s.Notices = p.desk.counts()
	p.compare(&s, repeated)
	return s, nil
}

// countLeads counts in the stores what the senders were told is safe.
func (p *play) countLeads(ctx context.Context, stores app.Stores, s *Summary) error {
	distinct := map[store.FactKey]bool{}
	for _, k := range p.senders.accepted {
		if distinct[k] {
			s.Events.Duplicate++
		}
		distinct[k] = true
	}
	err := stores.Scoring.EachLead(ctx, func(l store.Lead, _ []string, facts []store.FactRow) error {
		s.Leads++
		s.Stages[l.Stage]++
		for _, f := range facts {
			if distinct[f.FactKey] {
				s.Events.Applied++
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("count the leads: %w", err)
	}
	rows, err := stores.Scoring.ListQuarantined(ctx, store.Search{Limit: 10_000})
	if err != nil {
		return fmt.Errorf("count the quarantine: %w", err)
	}
	for _, r := range rows {
		if distinct[store.FactKey{Source: r.Source, ID: r.EventID}] {
			s.Events.Quarantined++
		}
	}
	return nil
}

// look counts the breaches on each surface. Clocks still run, and a breach is on its way to one while another shows it, so it looks
// again for a while when they differ.
func (p *play) look(ctx context.Context, s *Summary) (repeated int, err error) {
	for until := time.Now().Add(5 * time.Second); ; {
		s.Verdict = p.referee.Judge(time.Now(), 2*time.Second)
		s.Seen.Referee = s.Clocks.Breached
		if s.Seen.Metrics, err = metric(ctx, p.app.HTTPAddr(), "leadpact_breaches_total"); err != nil {
			return 0, err
		}
		s.Seen.GRPC, repeated = p.watched.count()
		if s.Seen.Referee == s.Seen.Metrics && s.Seen.Metrics == s.Seen.GRPC || time.Now().After(until) {
			return repeated, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// compare holds the surfaces against each other.
func (p *play) compare(s *Summary, repeated int) {
	e := s.Events
	for _, c := range []struct {
		ok  bool
		why string
	}{
		{e.Accepted == e.Applied+e.Duplicate+e.Quarantined, "accepted events are missing: accepted is not applied + duplicate + quarantined"},
		{s.Seen.Referee == s.Seen.Metrics && s.Seen.Metrics == s.Seen.GRPC, "the referee, gRPC and /metrics count different breaches"},
		{repeated == 0, "the breach stream repeated a breach"},
		{s.Verdict.Clean(), "the referee saw what must not happen"},
		{s.Notices.Forged == 0, "a notice bore a wrong signature"},
	} {
		if !c.ok {
			s.Wrong = append(s.Wrong, c.why)
		}
	}
	s.Wrong = append(s.Wrong, p.senders.wrong...)
	for {
		select {
		case err := <-p.wrong:
			s.Wrong = append(s.Wrong, err.Error())
		default:
			return
		}
	}
}

func acceptedList(keys []store.FactKey) io.Reader {
	var b bytes.Buffer
	for _, k := range keys {
		_, _ = fmt.Fprintf(&b, "%s\t%s\n", k.Source, k.ID) // a buffer takes everything
	}
	return &b
}

// metric sums one metric over its series, as a scrape shows it.
func metric(ctx context.Context, door, name string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+door+"/metrics", nil)
	if err != nil {
		return 0, fmt.Errorf("scrape /metrics: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("scrape /metrics: %w", err)
	}
	defer resp.Body.Close() // only read
	total := 0.0
	for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
		if series, value, ok := strings.Cut(scan.Text(), "} "); ok && strings.HasPrefix(series, name+"{") {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, fmt.Errorf("scrape /metrics: %q is no number", value)
			}
			total += v
		}
	}
	return int(total), nil
}
