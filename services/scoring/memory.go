package scoring

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

// memory is what a lead's row keeps as opaque bytes: its knowledge, and what of its stage has no column.
type memory struct {
	Since     time.Time       `json:"since,omitzero"`
	Ended     time.Time       `json:"ended,omitzero"`
	Handed    bool            `json:"handed,omitempty"`
	Knowledge json.RawMessage `json:"knowledge"`
}

// remember reads a lead's row. readable is false when the knowledge was written by another version of the program, so that its facts must be
// folded again; the stage is always read.
func remember(row store.Lead) (s stage.State, k lead.Knowledge, readable bool, err error) {
	s = stage.State{Stage: row.Stage, Cycle: row.Cycle, N: row.Staged, At: row.StagedAt}
	if len(row.Knowledge) == 0 {
		return s, lead.Knowledge{}, true, nil
	}
	var m memory
	if err := json.Unmarshal(row.Knowledge, &m); err != nil {
		return stage.State{}, lead.Knowledge{}, false, fmt.Errorf("read what is kept of lead %s: %w", row.ID, err)
	}
	s.Since, s.Ended, s.Handed = m.Since, m.Ended, m.Handed
	k, err = lead.Unmarshal(m.Knowledge)
	return s, k, err == nil, nil
}

// memorize writes state and knowledge into a lead's row.
func memorize(row store.Lead, s stage.State, k lead.Knowledge) (store.Lead, error) {
	knowledge, err := k.Marshal()
	if err != nil {
		return store.Lead{}, err
	}
	row.Stage, row.Cycle, row.Staged, row.StagedAt = s.Stage, s.Cycle, s.N, s.At
	row.Knowledge, err = json.Marshal(memory{Since: s.Since, Ended: s.Ended, Handed: s.Handed, Knowledge: knowledge})
	if err != nil {
		return store.Lead{}, fmt.Errorf("write what is kept of lead %s: %w", row.ID, err)
	}
	return row, nil
}
