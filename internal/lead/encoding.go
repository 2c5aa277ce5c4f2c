package lead

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Format is the version of the encoding that this program writes and reads. Another version is an error: whoever meets it folds
// the facts again.
const Format = 1

// encoded wraps a Knowledge with the version of its form. It is what writer and scanner are measured by: they know its form by heart,
// and leave to it whatever is out of the ordinary.
type encoded struct {
	Format int `json:"format"`
	Knowledge
}

// Marshal writes k as JSON. Equal knowledge gives equal bytes: fields stand in the order of the struct, keys of maps in the order
// of their bytes, slices are sorted by the fold, instants are UTC.
func (k Knowledge) Marshal() ([]byte, error) {
	w := writer{out: make([]byte, 0, 1536)}
	if w.knowledge(k); !w.odd {
		return w.out, nil
	}
	data, err := json.Marshal(encoded{Format: Format, Knowledge: k})
	if err != nil {
		return nil, fmt.Errorf("encode what is known of a lead: %w", err)
	}
	return data, nil
}

// Unmarshal reads what Marshal wrote; no bytes are the zero Knowledge.
func Unmarshal(data []byte) (Knowledge, error) {
	if len(data) == 0 {
		return Knowledge{}, nil
	}
	s := scanner{data: data, text: string(data)}
	if k := s.knowledge(); !s.odd && s.at == len(data) {
		return k, nil
	}
	var e encoded
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		return Knowledge{}, fmt.Errorf("decode what is known of a lead: %w", err)
	}
	if e.Format != Format {
		return Knowledge{}, fmt.Errorf("decode what is known of a lead: it has format %d, this program reads %d", e.Format, Format)
	}
	return e.Knowledge, nil
}
