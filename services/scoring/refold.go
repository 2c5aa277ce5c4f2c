package scoring

import (
	"bytes"
	"context"
	"fmt"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/services/scoring/score"
)

// Refold folds every lead's facts again, under the version of the agreement that its knowledge was folded under, and reports each
// lead whose stored knowledge or count of facts differs. versions are by hash. It returns how many leads it looked at.
func Refold(ctx context.Context, s store.Scoring, versions map[string]*agreement.Agreement, report func(lead, why string)) (int, error) {
	terms := map[string]*score.Terms{}
	for hash, a := range versions {
		terms[hash] = score.NewTerms(a)
	}
	looked := 0
	err := s.EachLead(ctx, func(row store.Lead, _ []string, rows []store.FactRow) error {
		looked++
		t, ok := terms[row.Agreement]
		if !ok {
			report(row.ID, "it was folded under an agreement that is not stored: "+row.Agreement)
			return nil
		}
		if int64(len(rows)) != row.Facts {
			report(row.ID, fmt.Sprintf("%d facts are stored, %d were counted", len(rows), row.Facts))
		}
		_, kept, readable, err := remember(row)
		if err != nil {
			return err
		}
		if !readable {
			return nil // written anew with the next event
		}
		facts, err := stored(rows)
		if err != nil {
			return err
		}
		again, err := lead.Fold(t, lead.Knowledge{}, facts...).Marshal()
		if err != nil {
			return err
		}
		before, err := kept.Marshal()
		if err != nil {
			return err
		}
		if !bytes.Equal(again, before) {
			report(row.ID, "what is known of it is not the fold of its facts")
		}
		return nil
	})
	if err != nil {
		return looked, fmt.Errorf("fold the facts of all leads again: %w", err)
	}
	return looked, nil
}
