package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/leadpact/leadpact/internal/agreement"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// door is one source made ready: its proof and its mapping.
type door struct {
	verifier verifier
	mapper   *mapper
	err      error
}

// doors keeps the doors of the version in force.
type doors struct {
	secret func(string) (string, error)

	mu   sync.Mutex
	hash string
	open map[string]*door
}

// of returns the door of a source; nil when the agreement names no such source.
func (d *doors) of(a *agreement.Agreement, name string) *door {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hash != a.Hash {
		d.hash, d.open = a.Hash, map[string]*door{}
	}
	if found, ok := d.open[name]; ok {
		return found
	}
	s, ok := a.Source(name)
	if !ok {
		return nil
	}
	made := &door{mapper: newMapper(a, s)}
	var secrets []string
	for _, ref := range s.Verify.Secrets {
		secret, err := d.secret(ref)
		if err != nil {
			made.err = err
			return made // not kept: the secret may be there at the next request
		}
		secrets = append(secrets, secret)
	}
	if made.verifier, made.err = newVerifier(s.Verify, secrets); made.err != nil {
		return made
	}
	d.open[name] = made
	return made
}

// accepted is the answer of a 202.
type accepted struct {
	Accepted int       `json:"accepted"`
	IDs      []string  `json:"ids"`
	Refused  []Refusal `json:"refused,omitempty"`
}

// Handler serves POST /v1/hooks/{source}.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/hooks/{source}", s.hook)
	mux.HandleFunc("/v1/hooks/{source}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", http.MethodPost)
		(&Problem{Type: typeMethod, Title: "Method not allowed", Status: http.StatusMethodNotAllowed, Detail: "webhooks are posted"}).write(w)
	})
	return mux
}

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
		_ = json.NewEncoder(w).Encode(answer) // the sender may have gone; the events are safe
	}
	s.metrics.requests.WithLabelValues(source, strconv.Itoa(code)).Inc()
	s.metrics.seconds.Observe(s.cfg.Now().Sub(started).Seconds())
}

// take does the whole of one request. The source returned is safe as a label.
func (s *Service) take(w http.ResponseWriter, r *http.Request) (source string, answer accepted, problem *Problem) {
	source = "unknown"
	agr, ok := s.cfg.Agreements.At(s.cfg.Now())
	if !ok {
		return source, answer, unavailable("no agreement is in force yet")
	}
	d := s.doors.of(agr, r.PathValue("source"))
	if d == nil {
		return source, answer, &Problem{Type: typeUnknownSource, Title: "Unknown source", Status: http.StatusNotFound, Detail: "the agreement in force names no such source"}
	}
	source = d.mapper.source.Name
	if d.err != nil {
		s.cfg.Logger.Error("source cannot be verified", "source", source, "error", d.err)
		return source, answer, &Problem{
			Type: typeSource, Title: "Source not set up", Status: http.StatusServiceUnavailable,
			Detail: "the secret of this source is missing on our side; send it again later", retryAfter: unavailable("").retryAfter * 15,
		}
	}
	if p := media(r); p != nil {
		return source, answer, p
	}
	if why := s.closed.Load(); why != nil {
		return source, answer, unavailable(*why)
	}
	body, problem := s.body(w, r)
	if problem != nil {
		return source, answer, problem
	}
	now := s.cfg.Now()
	if err := d.verifier.verify(r.Header, body, now); err != nil {
		return source, answer, unsigned(err.Error())
	}
	var webhookID string
	if d.mapper.source.Format == agreement.StandardWebhooks {
		webhookID = r.Header.Get("Webhook-Id")
	}
	m, err := d.mapper.events(body, webhookID, now)
	if err != nil {
		return source, answer, &Problem{Type: typeBody, Title: "Body not readable", Status: http.StatusBadRequest, Detail: err.Error()}
	}
	s.metrics.events.WithLabelValues(source, "refused").Add(float64(len(m.refused)))
	if len(m.events) == 0 {
		return source, answer, &Problem{
			Type: typeEvent, Title: "No event could be taken", Status: http.StatusUnprocessableEntity,
			Detail: m.refused[0].Detail, Events: m.refused,
		}
	}
	return s.accept(r, source, m)
}

// accept waits for the log and tells what was taken.
func (s *Service) accept(r *http.Request, source string, m mapped) (string, accepted, *Problem) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Patience)
	defer cancel()
	if err := s.commit(ctx, m.events); err != nil {
		s.metrics.events.WithLabelValues(source, "unavailable").Add(float64(len(m.events)))
		s.cfg.Logger.Warn("events not accepted", "source", source, "events", len(m.events), "error", err)
		return source, accepted{}, unavailable("the event log did not acknowledge in time")
	}
	s.metrics.events.WithLabelValues(source, "accepted").Add(float64(len(m.events)))
	answer := accepted{Accepted: len(m.events), IDs: ids(m.events), Refused: m.refused}
	return source, answer, nil
}

// body reads the raw bytes, bounded in size by MaxBody and in time by the server.
func (s *Service) body(w http.ResponseWriter, r *http.Request) ([]byte, *Problem) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &tooLarge):
		return nil, &Problem{
			Type: typeTooLarge, Title: "Body too large", Status: http.StatusRequestEntityTooLarge,
			Detail: "at most " + strconv.FormatInt(s.cfg.MaxBody, 10) + " bytes are taken; send fewer events at once",
		}
	default:
		return nil, &Problem{Type: typeTimeout, Title: "Body not complete", Status: http.StatusRequestTimeout, Detail: "the body did not arrive whole and in time"}
	}
}

// media refuses what could not be read: other types than JSON, and compressed bodies.
func media(r *http.Request) *Problem {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return &Problem{Type: typeMediaType, Title: "Encoding not supported", Status: http.StatusUnsupportedMediaType, Detail: "send the body uncompressed"}
	}
	t, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || (t != "application/json" && !strings.HasSuffix(t, "+json")) || (charset != "" && !strings.EqualFold(charset, "utf-8")) {
		return &Problem{Type: typeMediaType, Title: "Media type not supported", Status: http.StatusUnsupportedMediaType, Detail: "send application/json in UTF-8"}
	}
	return nil
}

func ids(events []*eventv1.Event) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = e.GetId()
	}
	return out
}
