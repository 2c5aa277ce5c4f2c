package verify

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
	"github.com/leadpact/leadpact/services/handoff"
)

// versionsKept reads the ledger: each change of stage was decided under the version in force at that moment, and the promises of a
// handoff are those of the version that it began under, or of one that took them over.
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
		left := map[promise]int64{} // when the first clock of a promise was taken over
		err = each(shard, "clock.cancelled", func(e *eventv1.Event) {
			p := promiseOf(e, e.GetClockCancelled().GetClock())
			if at, ok := left[p]; e.GetClockCancelled().GetReason() == handoff.VersionChanged && (!ok || e.GetRecordedAt() < at) {
				left[p] = e.GetRecordedAt()
			}
		})
		if err != nil {
			return 0, f, err
		}
		err = each(shard, "clock.started", func(e *eventv1.Event) {
			c := e.GetClockStarted().GetClock()
			p := promiseOf(e, c)
			if under, ok := began[p.HandoffKey]; ok && under != e.GetAgreement() {
				at, moved := left[p]
				if why := v.notTaken(rows, e, moved && at <= e.GetRecordedAt()); why != "" {
					f.add("clock %s runs under agreement %.12s, its handoff began under %.12s, and %s", c.GetId(), e.GetAgreement(), under, why)
				}
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

// promise is one of a handoff, by its name.
type promise struct {
	store.HandoffKey
	name string
}

func promiseOf(e *eventv1.Event, c *eventv1.Clock) promise {
	return promise{store.HandoffKey{Lead: e.GetLead(), Cycle: c.GetTerms().GetCycle()}, c.GetName()}
}

// notTaken is why the version of a clock that was started cannot have taken it over from another, which moved says fell away for that;
// "" when it can.
func (v *verifier) notTaken(rows []store.AgreementRow, e *eventv1.Event, moved bool) string {
	a := v.agreements[e.GetAgreement()]
	i := slices.IndexFunc(rows, func(row store.AgreementRow) bool { return row.Hash == e.GetAgreement() })
	switch {
	case a == nil || i < 0:
		return "nobody knows that version"
	case a.UnderWay != agreement.Move:
		return "that version takes no clock over"
	case event.Micros(rows[i].ActiveFrom) > e.GetRecordedAt():
		return "that version was not in force"
	case !moved:
		return "no clock of that promise was taken over before"
	}
	return ""
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
