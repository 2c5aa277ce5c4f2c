package ingest

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
)

// answer is what a request that is no problem gets to hear.
type answer struct {
	status int
	kind   string // the media type
	body   []byte
	header http.Header // what else; nil for nothing
}

func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	if a.kind != "" {
		h.Set("Content-Type", a.kind)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the sender may have gone, and the events are safe
}

// answerTo tells a sender that what he sent is safe: in the words that his preset wants to hear, else with the ids.
func answerTo(p preset.Answer, in hook.Read) answer {
	a := answer{status: p.Status, kind: p.Type, body: []byte(p.Body)}
	if a.status == 0 {
		a.status = http.StatusAccepted
	}
	if p.Body == "" {
		a.kind, a.body = "application/json", accepted{Accepted: len(in.Events), IDs: ids(in.Events), Refused: in.Refused, Skipped: in.Skipped}.json()
	}
	if a.kind == "" {
		a.kind = "application/json"
	}
	return a
}

// accepted is the answer of a 202.
type accepted struct {
	Accepted int            `json:"accepted"`
	IDs      []string       `json:"ids"`
	Refused  []hook.Refusal `json:"refused,omitempty"`
	Skipped  int            `json:"skipped,omitempty"`
}

// json is the answer's body.
func (a accepted) json() []byte {
	out := strconv.AppendInt([]byte(`{"accepted":`), int64(a.Accepted), 10)
	out = append(out, `,"ids":[`...)
	for i, id := range a.IDs {
		if i > 0 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(out, id) // an id that is no text was refused
	}
	out = append(out, ']')
	if len(a.Refused) > 0 {
		refused, err := json.Marshal(a.Refused)
		if err == nil { // of numbers and texts
			out = append(append(out, `,"refused":`...), refused...)
		}
	}
	if a.Skipped > 0 {
		out = strconv.AppendInt(append(out, `,"skipped":`...), int64(a.Skipped), 10)
	}
	return append(out, "}\n"...)
}

func ids(events []hook.Event) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = e.Event.GetId()
	}
	return out
}
