package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/services/leadpact/app"
	"github.com/leadpact/leadpact/services/scoring"
)

// StateHash is one hash over what is known of every lead, its stage, its outcome and its last owner, by canonical key: equal for two
// installations, of whatever engine, that were told the same.
func StateHash(ctx context.Context, s app.Stores) (string, error) {
	owners := map[string]string{}
	err := s.Handoff.EachAssignment(ctx, func(a store.Assignment, _ []store.ClockRow) error {
		owners[a.Lead] = a.Rep // they come in order, the last one stays
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read the owners: %w", err)
	}
	var lines []string
	err = scoring.EachStanding(ctx, s.Scoring, func(st scoring.Standing) error {
		result := ""
		h, err := s.Handoff.HandoffOf(ctx, st.Lead)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil {
			result = h.Result
		}
		sum := sha256.New()
		for _, part := range []string{st.Key, st.Stage, fmt.Sprint(st.Cycle), string(st.Knowledge), result, owners[st.Lead]} {
			_, _ = fmt.Fprintf(sum, "%d:%s", len(part), part) // a hash never fails
		}
		lines = append(lines, hex.EncodeToString(sum.Sum(nil)))
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read the leads: %w", err)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:]), nil
}
