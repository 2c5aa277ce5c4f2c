package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leadpact/leadpact/tools/bench/row"
)

const (
	facts = "leadpact_scoring_facts_total"
	lag   = "leadpact_bus_lag_messages"
	queue = "leadpact_outbox_messages"
)

// perRequest is the most events that the door takes in one request.
const perRequest = 1000

// memory reads what the kernel says of the process's memory, of files mapped into it too.
func memory(ctx context.Context, e *row.Env) ([]row.Line, error) {
	e.Plan(2)
	idle, rested, err := quiet(ctx, e)
	if err != nil {
		return nil, err
	}
	e.Step()
	flooded, err := backlog(ctx, e)
	if err != nil {
		return nil, err
	}
	e.Step()
	return append([]row.Line{idle, rested}, flooded...), nil
}

// quiet measures a process with nothing to do, before and after a burst.
func quiet(ctx context.Context, e *row.Env) (idle, rested row.Line, err error) {
	rest, events := row.Of(e, 20*time.Second, time.Second), row.Of(e, 20_000, 2_000)
	p, remove, err := prepare(e, "quiet")
	if err != nil {
		return idle, rested, err
	}
	defer func() { err = errors.Join(err, p.stop(), remove()) }()
	if err := p.open(ctx); err != nil {
		return idle, rested, err
	}
	if err := p.rest(ctx, rest); err != nil {
		return idle, rested, err
	}
	at, err := p.status()
	if err != nil {
		return idle, rested, err
	}
	idle = row.Alone("memory: idle, all roles", megabytes(at.resident), row.AtMost(60, "MB"))
	idle.Note = fmt.Sprintf("Resident after %s with nothing to do: %s of its own, %s of the program's file and of mapped files.", rest, megabytes(at.anonymous), megabytes(at.resident-at.anonymous))
	e.Say("%s", idle.Note)
	if err := p.flood(ctx, &flood{target: events}); err != nil {
		return idle, rested, err
	}
	if err := p.settled(ctx, events); err != nil {
		return idle, rested, err
	}
	if err := p.rest(ctx, rest); err != nil {
		return idle, rested, err
	}
	after, err := p.status()
	if err != nil {
		return idle, rested, err
	}
	rested = row.Alone(fmt.Sprintf("memory: %s after a burst of %d events", rest, events), megabytes(after.resident), nil)
	rested.Note = fmt.Sprintf("%s of its own; at the most, during the burst, %s were resident.", megabytes(after.anonymous), megabytes(after.peak))
	return idle, rested, nil
}

// backlog floods the door until a million events wait for scoring, or the time is over, and watches the memory meanwhile and for a
// while after.
func backlog(ctx context.Context, e *row.Env) (lines []row.Line, err error) {
	target, most, after := row.Of(e, 1_000_000, 20_000), row.Of(e, 2*time.Minute, 10*time.Second), row.Of(e, 20*time.Second, time.Second)
	p, remove, err := prepare(e, "backlog")
	if err != nil {
		return nil, err
	}
	defer func() { p.kill(); err = errors.Join(err, remove()) }()
	if err := p.open(ctx); err != nil {
		return nil, err
	}
	f := &flood{target: target, waiting: true}
	watching, enough := context.WithCancel(ctx)
	defer enough()
	curve := row.Curve{X: "events accepted", Y: "resident, MB", Series: []row.Serie{{}}}
	watched := make(chan error, 1)
	go func() { watched <- p.watch(watching, e, f, &curve.Series[0]) }()
	flooding, over := context.WithTimeout(ctx, most)
	defer over()
	if err := p.flood(flooding, f); err != nil && flooding.Err() == nil {
		return nil, err
	}
	if err := p.rest(ctx, after); err != nil {
		return nil, err
	}
	enough()
	if err := <-watched; err != nil {
		return nil, err
	}
	at, err := p.status()
	if err != nil {
		return nil, err
	}
	l := row.Alone(fmt.Sprintf("memory: under a backlog of %s events", thousands(f.deepest.Load())), megabytes(at.peak), row.AtMost(400, "MB"))
	l.Curve = &curve
	l.Note = fmt.Sprintf("The most that was ever resident, while the door took %s events in requests of %d and scoring worked on; at the deepest %s waited in the event log.",
		thousands(f.accepted.Load()), perRequest, thousands(f.deepest.Load()))
	if n := f.refused.Load(); n > 0 {
		l.Note += fmt.Sprintf(" The log was full, or slow, for %d requests: they were answered 503 and sent again, so the log's size bounds the backlog.", n)
	}
	if f.deepest.Load() < int64(target) {
		l.Note += fmt.Sprintf(" The backlog asked for, %s, was not reached within %s.", thousands(int64(target)), most)
		l.Holds = false // a bound that was not tried holds for nobody
	}
	now := row.Alone(fmt.Sprintf("memory: %s after that, while the backlog is worked off", after), megabytes(at.resident), nil)
	now.Note = fmt.Sprintf("%s of its own.", megabytes(at.anonymous))
	return []row.Line{l, now}, nil
}

// flood is how far a flood of events has come.
type flood struct {
	target int
	// waiting says that target is how many shall wait at once, not how many shall be accepted.
	waiting                          bool
	next, accepted, refused, deepest atomic.Int64
}

// enough says whether no more is to be sent.
func (f *flood) enough() bool {
	if f.waiting {
		return f.deepest.Load() >= int64(f.target)
	}
	return f.next.Load() >= int64(f.target)
}

// flood sends until it is enough, from four senders that do as the door says.
func (p *process) flood(ctx context.Context, f *flood) error {
	const senders = 4
	form := p.form(senders)
	defer form.close()
	errs := make([]error, senders)
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for !f.enough() && ctx.Err() == nil && errs[i] == nil {
				errs[i] = p.one(ctx, form, f)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// one sends one batch until it is taken.
func (p *process) one(ctx context.Context, form *form, f *flood) error {
	size := perRequest
	if !f.waiting {
		size = min(size, f.target)
	}
	body := batch(int(f.next.Add(int64(size)))-size, size)
	for {
		taken, after, err := form.post(ctx, body)
		if err != nil {
			return err
		}
		if taken {
			f.accepted.Add(int64(size))
			return nil
		}
		f.refused.Add(1)
		if err := pause(ctx, after); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch notes four times a second how many events wait, and once a second how much memory is resident.
func (p *process) watch(ctx context.Context, e *row.Env, f *flood, s *row.Serie) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		accepted := f.accepted.Load()                          // before the scrape: what is taken meanwhile is not said to wait
		m, err := p.metrics(context.WithoutCancel(ctx), facts) // it bounds its own time
		if err != nil {
			continue // a process under a flood may be late; what is not seen to wait does not count as backlog
		}
		if waits := accepted - int64(m[facts]); waits > f.deepest.Load() {
			f.deepest.Store(waits)
		}
		if n%4 > 0 {
			continue
		}
		at, err := p.status()
		if err != nil {
			return err
		}
		s.Points = append(s.Points, row.Point{X: float64(accepted), Y: megabytes(at.resident).Value})
		if n%20 == 0 {
			e.Say("%s accepted, %s wait at the deepest, %s resident", thousands(accepted), thousands(f.deepest.Load()), megabytes(at.resident))
		}
	}
}

// open starts the process and waits until its door would take webhooks.
func (p *process) open(ctx context.Context) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	if err := p.addresses(ctx); err != nil {
		return err
	}
	f := p.form(1)
	defer f.close()
	return p.taken(ctx, f, person(0))
}

// settled waits until every event was applied and nothing is under way.
func (p *process) settled(ctx context.Context, events int) error {
	return p.until(ctx, 100*time.Millisecond, "the end of the work", func() (bool, error) {
		m, err := p.metrics(ctx, facts, lag, queue)
		return err == nil && int(m[facts]) >= events && m[lag]+m[queue] == 0, err
	})
}

// usage is what the kernel says of a process's memory, in bytes.
type usage struct{ resident, anonymous, peak int64 }

func (p *process) status() (usage, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil {
		return usage{}, fmt.Errorf("ask for the process's memory: %w", err)
	}
	var u usage
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		to := map[string]*int64{"VmRSS": &u.resident, "RssAnon": &u.anonymous, "VmHWM": &u.peak}[name]
		if to == nil {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("ask for the process's memory: %q", line)
		}
		*to = kib << 10
	}
	if u.resident == 0 || u.anonymous == 0 || u.peak == 0 {
		return usage{}, errors.New("the kernel tells nothing of the process's memory: it has ended, or this is no Linux")
	}
	return u, nil
}

// megabytes is bytes in millions.
func megabytes(bytes int64) row.Figure { return row.Figure{Value: float64(bytes) / 1e6, Unit: "MB"} }

// thousands writes a count as people do.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
