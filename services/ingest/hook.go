package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/leadpact/leadpact/internal/hook"
)

// accepted is the answer of a 202.
type accepted struct {
	Accepted int            `json:"accepted"`
	IDs      []string       `json:"ids"`
	Skipped  int            `json:"skipped,omitempty"`
	Refused  []hook.Refusal `json:"refused,omitempty"`
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
	if a.Skipped > 0 {
		out = strconv.AppendInt(append(out, `,"skipped":`...), int64(a.Skipped), 10)
	}
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
	source = d.source.Name
	if p := media(d.source, r.Header); p != nil {
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
	given := &hook.Request{Method: r.Method, URI: address(r), Query: r.URL.Query(), Header: r.Header, Body: body}
	if err := d.verify(given, now); err != nil {
		if d.missing != nil { // the missing secret may be the one that signed: a 401 would make the sender give up
			return source, answer, notSetUp()
		}
		return source, answer, unsigned(err.Error())
	}
	read, err := d.source.Read(given, now)
	switch {
	case errors.Is(err, hook.ErrAccount):
		return source, answer, &Problem{Type: typeAccount, Title: "Account not taken", Status: http.StatusForbidden, Detail: err.Error()}
	case err != nil:
		return source, answer, &Problem{Type: typeBody, Title: "Body not readable", Status: http.StatusBadRequest, Detail: err.Error()}
	}
	if len(read.Refused) > 0 {
		s.metrics.events.WithLabelValues(source, "refused").Add(float64(len(read.Refused)))
	}
	if read.Skipped > 0 {
		s.metrics.events.WithLabelValues(source, "skipped").Add(float64(read.Skipped))
	}
	if len(read.Events) == 0 && len(read.Refused) > 0 {
		return source, answer, &Problem{
			Type: typeEvent, Title: "No event could be taken", Status: http.StatusUnprocessableEntity,
			Detail: read.Refused[0].Detail, Events: read.Refused,
		}
	}
	if len(read.Events) == 0 {
		return source, accepted{Skipped: read.Skipped}, nil
	}
	answer, problem = s.accept(r.Context(), source, read)
	return source, answer, problem
}

// accept waits for the log and tells what was taken. A sender that hangs up meanwhile does not cut it short: he comes again, and
// were his events dropped each time, one whose patience is shorter than a slow log's answer would never get through.
func (s *Service) accept(ctx context.Context, source string, m hook.Read) (accepted, *Problem) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Patience)
	defer cancel()
	err := s.errands(ctx, m.Events)
	if err == nil {
		err = s.commit(ctx, m.Events)
	}
	if err != nil {
		s.metrics.events.WithLabelValues(source, "unavailable").Add(float64(len(m.Events)))
		s.cfg.Logger.Warn("events not accepted", "source", source, "events", len(m.Events), "error", err)
		return accepted{}, unavailable("the event log did not acknowledge in time")
	}
	s.metrics.accept(source, len(m.Events))
	return accepted{Accepted: len(m.Events), IDs: ids(m.Events), Skipped: m.Skipped, Refused: m.Refused}, nil
}

// media refuses what could not be read: other types than the source writes, and compressed bodies.
func media(s *hook.Source, h http.Header) *Problem {
	if enc := h.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return &Problem{Type: typeMediaType, Title: "Encoding not supported", Status: http.StatusUnsupportedMediaType, Detail: "send the body uncompressed"}
	}
	if _, err := s.Format(h); err != nil {
		return &Problem{Type: typeMediaType, Title: "Media type not supported", Status: http.StatusUnsupportedMediaType, Detail: err.Error()}
	}
	return nil
}

// address is the public address of a request, as its sender knows it.
func address(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + r.URL.RequestURI()
}

func ids(events []hook.Event) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = e.Event.GetId()
	}
	return out
}
