package clocks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/lead"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/tools/bench/work"
)

// promise is how long a first response may take under the agreement, and told the warning that was given before it fell due.
const (
	promise = 4 * time.Hour
	told    = 80
)

// The rows of leads in reps' hands, made from the leads that stand in filling. There are too many of them to come in by the front
// door; what stands in them is what would. The columns of filling: lead, rep, shard, and when its clock falls due after the first.
const (
	putHandoffs = `INSERT INTO handoffs (lead, cycle, version, state, result, pool, grade, channel, stage, agreement, history, assignments,
			excluded, received_at, started_at, waiting_since, contact, cause)
		SELECT lead, 1, 1, 'assigned', '', 'sales', 'B', 'organic', 'mql', $1, $2, 1, 'null', due + $3, due + $3, $4, $5, 'evt-of-' || lead
		FROM filling`
	putAssignments = `INSERT INTO assignments (id, lead, cycle, n, version, rep, team, pool, started_at, accepted_at, end_reason, decision)
		SELECT lead || '/1/1', lead, 1, 1, 1, rep, 'sales', 'sales', due + $1, $2, '', $3 FROM filling`
	putReps   = `INSERT INTO reps (rep) SELECT DISTINCT rep FROM filling WHERE true ON CONFLICT (rep) DO NOTHING`
	putLoads  = `UPDATE reps SET live = live + (SELECT count(*) FROM filling WHERE filling.rep = reps.rep)`
	putClocks = `INSERT INTO clocks (id, lead, cycle, shard, assignment, rep, team, name, version, state, started_at, due_at, wake_at, within,
			calendar, tzdata, counted, needed, warned, stopped_at, agreement)
		SELECT lead || '/1/1/first-response', lead, 1, shard, lead || '/1/1', rep, 'sales', 'first-response', 1, 'open', due + $1 - $2, due + $1,
			due + $1, $3, 'day-and-night', $4, 0, 1, $5, $6, $7
		FROM filling`
)

// filling is one row of that table.
type filling struct {
	lead, rep string
	shard     int
	due       int64 // microseconds after the first
}

// leadID is the nth lead's id, as scoring would make it.
func leadID(n int) string { return lead.ID([]byte(work.Secret), "email:"+work.Email(n)) }

func repID(n int) string { return fmt.Sprintf("rep%04d", n%work.Ordinary().Reps) }

// fill writes n leads whose clocks fall due a day from now and later, spread over a month.
func (s *stand) fill(ctx context.Context, n int) error {
	rows := s.leads(n, 30*24*time.Hour/time.Duration(n))
	// Trees grow faster in order.
	slices.SortFunc(rows, func(a, b filling) int { return strings.Compare(a.lead, b.lead) })
	if _, err := s.write(ctx, s.notify, rows, 24*time.Hour); err != nil {
		return err
	}
	s.open = s.made
	return errors.Join(s.tidied(ctx), s.onDisk(ctx))
}

// put writes n leads, each in a rep's hands under a. The first clock falls due at from, which lies ahead of the last writing, and
// the others step by step after it. They are written in the order in which they fall due, for that is how leads come in.
func (s *stand) put(ctx context.Context, a *agreement.Agreement, n int, ahead, step time.Duration) (from time.Time, err error) {
	from, err = s.write(ctx, a, s.leads(n, step), ahead)
	if err != nil {
		return from, err
	}
	if err := s.onDisk(ctx); err != nil {
		return from, fmt.Errorf("bring what was put to disk: %w", err)
	}
	if !time.Now().Before(from) {
		return from, fmt.Errorf("it took longer than %s until what was put was on disk, and the first was due already", ahead)
	}
	return from, nil
}

// leads are the next n.
func (s *stand) leads(n int, step time.Duration) []filling {
	rows := make([]filling, n)
	for i := range rows {
		id := leadID(s.made + i)
		rows[i] = filling{id, repID(s.made + i), event.Partition(id, shards), (time.Duration(i) * step).Microseconds()}
	}
	s.made += n
	return rows
}

func (s *stand) write(ctx context.Context, a *agreement.Agreement, rows []filling, ahead time.Duration) (from time.Time, err error) {
	n := len(rows)
	if err := s.stage(ctx, rows); err != nil {
		return from, fmt.Errorf("stage %d leads: %w", n, err)
	}
	card, err := proto.Marshal(contact())
	if err != nil {
		return from, err
	}
	why, err := decision(a.Hash)
	if err != nil {
		return from, err
	}
	never, started := time.Time{}.UnixMicro(), time.Now().Add(-promise).UnixMicro()
	err = s.execute(ctx,
		statement{putHandoffs, []any{a.Hash, false, started, never, card}},
		statement{putAssignments, []any{started, never, why}}, statement{putReps, nil}, statement{putLoads, nil})
	if err != nil {
		return from, fmt.Errorf("put %d leads: %w", n, err)
	}
	// When the clocks are written decides what can still be ahead, so they come last.
	from = time.Now().Add(ahead).UTC().Truncate(time.Microsecond)
	err = s.execute(ctx, statement{putClocks, []any{from.UnixMicro(), promise.Microseconds(), int64(promise), calendar.TZDataVersion(), int64(told), never, a.Hash}})
	if err == nil && !time.Now().Before(from) {
		err = fmt.Errorf("it took %s, and then the first was due already", ahead)
	}
	if err != nil {
		return from, fmt.Errorf("put %d clocks: %w", n, err)
	}
	return from, nil
}

// contact is the card that an assignment carries.
func contact() *eventv1.Contact {
	received := work.Event(1, true, time.Now()).GetLeadReceived()
	return &eventv1.Contact{Name: received.GetName(), Email: received.GetEmail(), Fields: received.GetFields()}
}

// decision is what routing keeps with an assignment, of the size that it has among so many reps.
func decision(hash string) ([]byte, error) {
	balances, live := map[string]int64{}, map[string]int{}
	for i := range work.Ordinary().Reps {
		balances[repID(i)], live[repID(i)] = int64(i)*1_000_003, i*37
	}
	return json.Marshal(map[string]any{
		"at": time.Now(), "agreement": hash, "roster": hash, "pool": "sales", "version": 1, "balances": balances, "live": live, "winner": repID(0),
	})
}
