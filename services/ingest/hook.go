package ingest

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// accepted is the answer of a 202.
type accepted struct {
	Accepted int       `json:"accepted"`
	IDs      []string  `json:"ids"`
	Refused  []Refusal `json:"refused,omitempty"`
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
	return append(out, "}\n"...)
}

// Handler serves POST /v1/hooks/{source}. It redirects nobody, as a mux would: senders switch off an address that does.
func (s *Service) Handler() http.Handler { return http.HandlerFunc(s.hook) }

func (s *Service) hook(w http.ResponseWriter, r *http.Request) {
	started := s.cfg.Now()
	source, answer, problem := s.take(w, r)
	code := http.StatusAccepted
	if problem != nil {
		code = problem.Status
		problem.write(w)
	} else {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write(answer.json()) //nolint:gosec // JSON with every id quoted; the sender may have gone, and the events are safe
	}
	s.metrics.request(source, code)
	s.metrics.seconds.Observe(s.cfg.Now().Sub(started).Seconds())
}

// take does the whole of one request. The source returned is safe as a label.
func (s *Service) take(w http.ResponseWriter, r *http.Request) (source string, answer accepted, problem *Problem) {
	source = "unknown"
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return source, answer, &Problem{Type: typeMethod, Title: "Method not allowed", Status: http.StatusMethodNotAllowed, Detail: "webhooks are posted"}
	}
	now := s.cfg.Now()
	agr, ok := s.cfg.Agreements.At(now)
	if !ok {
		return source, answer, unavailable("no agreement is in force yet")
	}
	name, _ := strings.CutPrefix(r.URL.Path, "/v1/hooks/")
	d := s.doors.of(agr, name, now)
	if d == nil {
		return source, answer, &Problem{Type: typeUnknownSource, Title: "Unknown source", Status: http.StatusNotFound, Detail: "the agreement in force names no such source"}
	}
	source = d.mapper.source.Name
	if p := media(r); p != nil {
		return source, answer, p
	}
	if why := s.closed.Load(); why != nil {
		return source, answer, unavailable(*why)
	}
	body, release, problem := s.bodies.read(w, r)
	defer release()
	if problem != nil {
		return source, answer, problem
	}
	now = s.cfg.Now() // the body may have been long on its way
	if err := d.verify(r.Header, body, now); err != nil {
		if d.missing != nil { // the missing secret may be the one that signed: a 401 would make the sender give up
			return source, answer, notSetUp()
		}
		return source, answer, unsigned(err.Error())
	}
	m, err := d.mapper.events(body, d.mapper.webhookID(r.Header), now)
	if err != nil {
		return source, answer, &Problem{Type: typeBody, Title: "Body not readable", Status: http.StatusBadRequest, Detail: err.Error()}
	}
	if len(m.refused) > 0 {
		s.metrics.events.WithLabelValues(source, "refused").Add(float64(len(m.refused)))
	}
	if len(m.events) == 0 {
		return source, answer, &Problem{
			Type: typeEvent, Title: "No event could be taken", Status: http.StatusUnprocessableEntity,
			Detail: m.refused[0].Detail, Events: m.refused,
		}
	}
	answer, problem = s.accept(r.Context(), source, m)
	return source, answer, problem
}

// accept waits for the log and tells what was taken. A sender that hangs up meanwhile does not cut it short: he comes again, and
// were his events dropped each time, one whose patience is shorter than a slow log's answer would never get through.
func (s *Service) accept(ctx context.Context, source string, m mapped) (accepted, *Problem) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Patience)
	defer cancel()
	if err := s.commit(ctx, m.events); err != nil {
		s.metrics.events.WithLabelValues(source, "unavailable").Add(float64(len(m.events)))
		s.cfg.Logger.Warn("events not accepted", "source", source, "events", len(m.events), "error", err)
		return accepted{}, unavailable("the event log did not acknowledge in time")
	}
	s.metrics.accept(source, len(m.events))
	return accepted{Accepted: len(m.events), IDs: ids(m.events), Refused: m.refused}, nil
}

// media refuses what could not be read: other types than JSON, and compressed bodies.
func media(r *http.Request) *Problem {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return &Problem{Type: typeMediaType, Title: "Encoding not supported", Status: http.StatusUnsupportedMediaType, Detail: "send the body uncompressed"}
	}
	given := r.Header.Get("Content-Type")
	if given == "application/json" { // as most senders write it
		return nil
	}
	t, params, err := mime.ParseMediaType(given)
	charset := params["charset"]
	if err != nil || (t != "application/json" && !strings.HasSuffix(t, "+json")) || (charset != "" && !strings.EqualFold(charset, "utf-8")) {
		return &Problem{Type: typeMediaType, Title: "Media type not supported", Status: http.StatusUnsupportedMediaType, Detail: "send application/json in UTF-8"}
	}
	return nil
}

func ids(events []taken) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = e.event.GetId()
	}
	return out
}
