package verify

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/services/scoring"
)

func readAccepted(r io.Reader) ([]store.FactKey, error) {
	if r == nil {
		return nil, nil
	}
	var out []store.FactKey
	s := bufio.NewScanner(r)
	for line := 1; s.Scan(); line++ {
		source, id, ok := strings.Cut(s.Text(), "\t")
		if !ok {
			return nil, fmt.Errorf("line %d of the accepted events is not source<TAB>id", line)
		}
		out = append(out, store.FactKey{Source: source, ID: id})
	}
	return out, s.Err()
}

func acceptedKept(ctx context.Context, v *verifier) (int, faults, error) {
	var f faults
	const page = 1000
	for from := 0; from < len(v.accepted); from += page {
		keys := v.accepted[from:min(from+page, len(v.accepted))]
		has, err := v.scoring.HasFacts(ctx, keys)
		if err != nil {
			return 0, f, err
		}
		for _, k := range keys {
			if !has[k] {
				f.add("event %s of %s was answered 202 and is nowhere", k.ID, k.Source)
			}
		}
	}
	return len(v.accepted), f, nil
}

func knowledgeIsFold(ctx context.Context, v *verifier) (int, faults, error) {
	var f faults
	looked, err := scoring.Refold(ctx, v.scoring, v.agreements, func(lead, why string) { f.add("lead %s: %s", lead, why) })
	return looked, f, err
}

func stagesFollow(ctx context.Context, v *verifier) (int, faults, error) {
	var f faults
	looked := 0
	err := v.scoring.EachLead(ctx, func(lead store.Lead, _ []string, _ []store.FactRow) error {
		looked++
		rows, err := v.scoring.Transitions(ctx, lead.ID)
		if err != nil {
			return err
		}
		stage, cycle, n := "", uint32(0), uint32(0)
		for _, t := range rows {
			if t.Cycle > cycle {
				cycle, n = t.Cycle, 0
			}
			if n++; t.N != n || t.From != stage {
				f.add("lead %s: change %d of cycle %d goes from %q, the one before led to %q", lead.ID, t.N, t.Cycle, t.From, stage)
			}
			stage, n = t.To, t.N
		}
		if stage != lead.Stage {
			f.add("lead %s stands at %q, its last change led to %q", lead.ID, lead.Stage, stage)
		}
		return nil
	})
	return looked, f, err
}
