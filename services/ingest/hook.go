package ingest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/leadpact/leadpact/internal/hook"
)

// Handler serves /v1/hooks/{source}: POST, and the method by which a sender asks whether the address is ours. It redirects nobody, as a
// mux would: senders switch off an address that does.
func (s *Service) Handler() http.Handler { return http.HandlerFunc(s.hook) }

func (s *Service) hook(w http.ResponseWriter, r *http.Request) {
	started := s.cfg.Now()
	source, answer, problem := s.take(w, r)
	code := answer.status
	if problem != nil {
		code = problem.Status
		problem.write(w)
	} else {
		answer.write(w)
	}
	s.metrics.request(source, code)
	s.metrics.seconds.Observe(s.cfg.Now().Sub(started).Seconds())
}

// take does the whole of one request. The source returned is safe as a label.
func (s *Service) take(w http.ResponseWriter, r *http.Request) (source string, a answer, problem *Problem) {
	source = "unknown"
	asks := r.Method == http.MethodGet || r.Method == http.MethodOptions
	if r.Method != http.MethodPost && !asks {
		return source, a, notAllowed(w, http.MethodPost)
	}
	now := s.cfg.Now()
	agr, ok := s.cfg.Agreements.At(now)
	if !ok {
		return source, a, unavailable("no agreement is in force yet")
	}
	name, _ := strings.CutPrefix(r.URL.Path, "/v1/hooks/")
	d := s.doors.of(agr, name, now)
	switch {
	case d == nil && asks:
		return source, a, notAllowed(w, http.MethodPost)
	case d == nil:
		return source, a, &Problem{Type: typeUnknownSource, Title: "Unknown source", Status: http.StatusNotFound, Detail: "the agreement in force names no such source"}
	}
	source = d.source.Name
	if asks {
		a, problem = s.challenge(w, r, d)
		return source, a, problem
	}
	unread := media(r.Header, d.source)
	if why := s.closed.Load(); why != nil {
		return source, a, unavailable(*why)
	}
	if wait := d.empty(now); wait > 0 { // before anything is read
		return source, a, tooOften(wait)
	}
	posted := s.request(r, nil)
	if hook.Bodiless(d.source.Verify.Kind) { // a stranger then holds no room that is the source's
		if problem := d.prove(posted, now); problem != nil {
			return source, a, problem
		}
	}
	body, release, problem := s.bodies.read(w, r, d.share)
	defer release()
	if problem != nil {
		return source, a, problem
	}
	posted.Body = body
	in, problem := s.read(r.Context(), d, posted, unread)
	switch {
	case problem != nil && problem.poison:
		problem = s.keep(r.Context(), d, posted, s.cfg.Now(), problem.Detail, problem)
	case problem == nil:
		a, problem = s.store(r.Context(), d, posted, in)
	}
	return source, a, problem
}

// request is what was posted, with the address under which its sender knows us.
func (s *Service) request(r *http.Request, body []byte) *hook.Request {
	out := &hook.Request{Method: r.Method, URI: s.addresses.of(r), Header: r.Header, Body: body}
	if r.URL.RawQuery != "" {
		out.Query, _ = url.ParseQuery(r.URL.RawQuery) // what cannot be read is not there
	}
	return out
}

// read proves that r is the source's, and maps it, unless unread says that it cannot be.
func (s *Service) read(ctx context.Context, d *door, r *hook.Request, unread *Problem) (in hook.Read, problem *Problem) {
	end, err := d.share.begin(ctx, s.cfg.Patience, len(r.Body))
	if err != nil {
		return in, noisy()
	}
	defer end()
	now := s.cfg.Now() // the body may have been long on its way
	if problem := d.prove(r, now); problem != nil {
		return in, problem
	}
	if !d.spend(now) { // strangers do not use up what the source may post
		return in, tooOften(d.empty(now))
	}
	if unread != nil {
		unread.poison = true
		return in, unread
	}
	in, err = d.source.Read(r, now)
	switch {
	case errors.Is(err, hook.ErrAccount):
		return in, &Problem{Type: typeAccount, Title: "Account not taken", Status: http.StatusForbidden, Detail: err.Error()}
	case err != nil:
		return in, &Problem{Type: typeBody, Title: "Body not readable", Status: http.StatusBadRequest, Detail: err.Error(), poison: true}
	}
	return in, nil
}

// store makes durable what was read, and what could not be, and says so as the source's preset wants it.
func (s *Service) store(ctx context.Context, d *door, r *hook.Request, in hook.Read) (a answer, problem *Problem) {
	source, now := d.source.Name, s.cfg.Now()
	s.metrics.leave(source, "refused", len(in.Refused))
	if len(in.Refused) > 0 && len(in.Events) == 0 {
		return a, s.keep(ctx, d, r, now, whyOf(in), &Problem{
			Type: typeEvent, Title: "No event could be taken", Status: http.StatusUnprocessableEntity,
			Detail: in.Refused[0].Detail, Events: in.Refused,
		})
	}
	if len(in.Refused) > 0 { // an answer in fixed words says of the whole that it is safe, so this part must be too
		if problem := s.keep(ctx, d, r, now, whyOf(in), nil, in.Refused...); problem != nil {
			return a, problem
		}
	}
	a = answerTo(d.source.Tool.Answer, in)
	switch {
	case len(in.Events) == 0: // everything was skipped
	case d.source.Tool.Answer.Standing && len(in.Events) == 1:
		problem = s.tell(ctx, d, in.Events[0], &a)
	default:
		problem = s.accept(ctx, d, in.Events)
	}
	if problem == nil {
		s.metrics.leave(source, "skipped", in.Skipped)
	}
	return a, problem
}

// tell makes one event durable, and waits for how its lead stands then, which the sender writes back onto it. When that cannot be
// known in time, a says that the event was taken.
func (s *Service) tell(ctx context.Context, d *door, e hook.Event, a *answer) *Problem {
	ask, forget := s.standings.expect(d.source.Name, e.Event.GetId(), e.Key)
	defer forget()
	if problem := s.accept(ctx, d, []hook.Event{e}); problem != nil {
		return problem
	}
	if st, ok := ask(ctx); ok {
		a.body = st.json()
	}
	return nil
}

// accept waits for the log. A sender that hangs up meanwhile does not cut it short: he comes again, and were his events dropped each
// time, one whose patience is shorter than a slow log's answer would never get through.
func (s *Service) accept(ctx context.Context, d *door, events []hook.Event) *Problem {
	source := d.source.Name
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Patience)
	defer cancel()
	err := s.errands(ctx, source, events)
	if err == nil {
		err = s.commit(ctx, d.share, events)
	}
	switch {
	case err == nil:
		s.metrics.accept(source, events)
		return nil
	case errors.Is(err, errNoisy):
		s.metrics.leave(source, "unavailable", len(events))
		return noisy()
	}
	s.metrics.leave(source, "unavailable", len(events))
	s.cfg.Logger.Warn("events not accepted", "source", source, "events", len(events), "error", err)
	return unavailable("the event log did not acknowledge in time")
}

// media refuses what could not be read, before it is: types that the source does not write, and compressed bodies.
func media(h http.Header, source *hook.Source) *Problem {
	if enc := h.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return &Problem{Type: typeMediaType, Title: "Encoding not supported", Status: http.StatusUnsupportedMediaType, Detail: "send the body uncompressed"}
	}
	if len(h["Content-Type"]) > 1 {
		return &Problem{Type: typeMediaType, Title: "Media type not supported", Status: http.StatusUnsupportedMediaType, Detail: "the header Content-Type stands more than once"}
	}
	if _, err := source.Format(h); err != nil {
		return &Problem{Type: typeMediaType, Title: "Media type not supported", Status: http.StatusUnsupportedMediaType, Detail: err.Error()}
	}
	return nil
}
