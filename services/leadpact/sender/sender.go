// Package sender posts signed webhooks the way a careful sender does: it proves itself, waits when it is told to, and sends the
// same request again until it knows what became of it.
package sender

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
)

// Refusal is one event that the door did not take.
type Refusal struct {
	Index  int    `json:"index"`
	ID     string `json:"id"`
	Type   string `json:"type"`
	Detail string `json:"detail"`
}

// Answer is what the door said in the end.
type Answer struct {
	Status int
	// IDs of the events that are durable.
	IDs     []string
	Refused []Refusal
	// Detail of a request that was refused whole.
	Detail string
	// Tries it took.
	Tries int
}

// Sender posts to one address as one source. It is safe for concurrent use.
type Sender struct {
	url    string
	verify preset.Proof
	secret string
	client *http.Client
	now    func() time.Time
	// patience is how long one request is tried.
	patience time.Duration
}

// New returns a sender to url that proves itself as verify says, with the secret itself.
func New(url string, verify preset.Proof, secret string, patience time.Duration) *Sender {
	return &Sender{
		url: url, verify: verify, secret: secret, now: time.Now, patience: patience,
		client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}},
	}
}

// Close lets go of idle connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Post sends body until the door takes or refuses it. webhookID is the event's id for Standard Webhooks. An error means that the
// sender's patience ended and nobody knows whether the events are durable.
func (s *Sender) Post(ctx context.Context, webhookID string, body []byte) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	var last error
	for try := 1; ; try++ {
		req, err := s.request(ctx, webhookID, body) // anew each time: some proofs bear the time
		if err != nil {
			return Answer{}, err // trying again mends no secret and no address
		}
		answer, wait, err := s.once(req)
		answer.Tries = try
		if err == nil && wait == 0 {
			return answer, nil
		}
		if err == nil {
			err = fmt.Errorf("the door answered %d: %s", answer.Status, answer.Detail)
		}
		last = err
		if wait == 0 {
			wait = min(50*time.Millisecond<<min(try, 6), 2*time.Second)
			wait += rand.N(wait) //nolint:gosec // spreads retries, guards nothing
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return answer, fmt.Errorf("post to %s, given up after %d tries: %w", s.url, try, errors.Join(last, ctx.Err()))
		case <-t.C:
		}
	}
}

// once sends body once; wait above 0 asks for another try.
func (s *Sender) once(req *http.Request) (a Answer, wait time.Duration, err error) {
	resp, err := s.client.Do(req)
	if err != nil {
		return a, 0, err
	}
	defer resp.Body.Close() // read to its end below
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return a, 0, fmt.Errorf("read the answer: %w", err)
	}
	a.Status = resp.StatusCode
	var said struct {
		IDs     []string  `json:"ids"`
		Refused []Refusal `json:"refused"`
		Detail  string    `json:"detail"`
	}
	if err := json.Unmarshal(text, &said); err == nil {
		a.IDs, a.Refused, a.Detail = said.IDs, said.Refused, said.Detail
	}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusRequestTimeout, resp.StatusCode >= 500:
		sec, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if err != nil {
			sec = 1
		}
		return a, time.Duration(min(max(sec, 1), 30)) * time.Second, nil
	}
	return a, 0, nil
}

// request is one try, with its proof.
func (s *Sender) request(ctx context.Context, webhookID string, body []byte) (*http.Request, error) {
	r := &hook.Request{Method: http.MethodPost, URI: s.url, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
	if webhookID != "" {
		r.Header.Set("Webhook-Id", webhookID)
	}
	if err := hook.Sign(s.verify, s.secret, r, s.now()); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URI, bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("post to %s: %w", s.url, err)
	}
	req.Header = r.Header
	return req, nil
}
