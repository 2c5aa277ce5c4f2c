package verify

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
)

// versionsKept reads the ledger: each change of stage was decided under the version in force at that moment, and the promises of a
// handoff are those of the version that it began under.
func versionsKept(ctx context.Context, v *verifier) (int, faults, error) {
	var f faults
	rows, err := v.compliance.ListAgreements(ctx)
	if err != nil {
		return 0, f, err
	}
	looked := 0
	each := func(shard int, typ string, check func(e *eventv1.Event)) error {
		return v.entries(ctx, shard, typ, func(entry store.Entry) error {
			var e eventv1.Event
			if err := proto.Unmarshal(entry.Data, &e); err != nil {
				return fmt.Errorf("read line %d of shard %d: %w", entry.Seq, shard, err)
			}
			looked++
			check(&e)
			return nil
		})
	}
	for shard := range ledger.Shards { // a lead's lines are in one
		err := each(shard, "lead.staged", func(e *eventv1.Event) {
			at := e.GetLeadStaged().GetDecidedAt()
			if at == 0 { // an earlier program did not say
				return
			}
			if hash := inForce(rows, at); hash != e.GetAgreement() {
				f.add("lead %s was led to %s under agreement %.12s at %s, when %.12s was in force",
					e.GetLead(), e.GetLeadStaged().GetTo(), e.GetAgreement(), event.Time(at), hash)
			}
		})
		if err != nil {
			return 0, f, err
		}
		began := map[store.HandoffKey]string{}
		err = each(shard, "handoff.started", func(e *eventv1.Event) {
			began[store.HandoffKey{Lead: e.GetLead(), Cycle: e.GetHandoffStarted().GetTerms().GetCycle()}] = e.GetAgreement()
		})
		if err != nil {
			return 0, f, err
		}
		err = each(shard, "clock.started", func(e *eventv1.Event) {
			c := e.GetClockStarted().GetClock()
			under, ok := began[store.HandoffKey{Lead: e.GetLead(), Cycle: c.GetTerms().GetCycle()}]
			if ok && under != e.GetAgreement() {
				f.add("clock %s runs under agreement %.12s, its handoff began under %.12s", c.GetId(), e.GetAgreement(), under)
			}
			if a := v.agreements[e.GetAgreement()]; a != nil && promised(a, c.GetName()) != c.GetWithin() {
				f.add("clock %s gives %d µs, agreement %.12s promises %d", c.GetId(), c.GetWithin(), e.GetAgreement(), promised(a, c.GetName()))
			}
		})
		if err != nil {
			return 0, f, err
		}
	}
	return looked, f, nil
}

// inForce is the hash of the version in force at a time, in microseconds; "" before the first. Rows are in the order in which they come.
func inForce(rows []store.AgreementRow, at int64) string {
	hash := ""
	for _, row := range rows {
		if event.Micros(row.ActiveFrom) <= at {
			hash = row.Hash
		}
	}
	return hash
}

// promised is how long a promise of that name gives, in microseconds; 0 when there is none.
func promised(a *agreement.Agreement, name string) int64 {
	if name == a.Handoff.Unassigned.Name {
		return a.Handoff.Unassigned.Within.Microseconds()
	}
	for _, c := range a.Clocks {
		if c.Name == name {
			return c.Within.Microseconds()
		}
	}
	return 0
}
