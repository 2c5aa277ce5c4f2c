package scoring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

// memory is what a lead's row keeps as opaque bytes, before its knowledge: what of its stage has no column. The knowledge stands last,
// so that it is written and read once, by lead alone: {"since":…,"handed":true,"knowledge":{…}}.
type memory struct {
	Since  time.Time `json:"since,omitzero"`
	Ended  time.Time `json:"ended,omitzero"`
	Handed bool      `json:"handed,omitempty"`
	// Both since consent counts.
	Withheld  bool `json:"withheld,omitempty"`
	Withdrawn bool `json:"withdrawn,omitempty"`
	// Knowledge is null here; it keeps the place.
	Knowledge *struct{} `json:"knowledge"`
}

const knowledgeMark = `"knowledge":`

// remember reads a lead's row. readable is false when the knowledge was written by another version of the program, so that its facts must be
// folded again; the stage is always read.
func remember(row store.Lead) (s stage.State, k lead.Knowledge, readable bool, err error) {
	s = stage.State{Stage: row.Stage, Cycle: row.Cycle, N: row.Staged, At: row.StagedAt}
	if len(row.Knowledge) == 0 {
		return s, lead.Knowledge{}, true, nil
	}
	head, knowledge, _ := bytes.Cut(row.Knowledge, []byte(knowledgeMark))
	knowledge, whole := bytes.CutSuffix(knowledge, []byte("}"))
	var m memory
	// Three indexes: the row's bytes are not written over.
	err = json.Unmarshal(append(head[:len(head):len(head)], knowledgeMark+"null}"...), &m)
	if err == nil && !whole {
		err = errors.New("it does not end as leadpact ends it")
	}
	if err != nil {
		return stage.State{}, lead.Knowledge{}, false, fmt.Errorf("read what is kept of lead %s: %w", row.ID, err)
	}
	s.Since, s.Ended, s.Handed, s.Withheld, s.Withdrawn = m.Since, m.Ended, m.Handed, m.Withheld, m.Withdrawn
	k, err = lead.Unmarshal(knowledge)
	if err != nil && !json.Valid(knowledge) { // no version wrote that
		return stage.State{}, lead.Knowledge{}, false, fmt.Errorf("read what is kept of lead %s: %w", row.ID, err)
	}
	return s, k, err == nil, nil
}

// memorize writes state and knowledge into a lead's row.
func memorize(row store.Lead, s stage.State, k lead.Knowledge) (store.Lead, error) {
	knowledge, err := k.Marshal()
	if err != nil {
		return store.Lead{}, err
	}
	row.Stage, row.Cycle, row.Staged, row.StagedAt = s.Stage, s.Cycle, s.N, s.At
	head, err := json.Marshal(memory{Since: s.Since, Ended: s.Ended, Handed: s.Handed, Withheld: s.Withheld, Withdrawn: s.Withdrawn})
	if err != nil {
		return store.Lead{}, fmt.Errorf("write what is kept of lead %s: %w", row.ID, err)
	}
	head = bytes.TrimSuffix(head, []byte("null}"))
	row.Knowledge = append(append(make([]byte, 0, len(head)+len(knowledge)+1), head...), knowledge...)
	row.Knowledge = append(row.Knowledge, '}')
	return row, nil
}
