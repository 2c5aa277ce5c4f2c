package demo

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/preset"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/services/leadpact/sender"
)

// senders play the tools of marketing: they post the plan, each request at its time.
type senders struct {
	bySource map[string]*sender.Sender
	forged   map[string]*sender.Sender

	mu sync.Mutex
	// accepted in the order of the answers, repeats included.
	accepted []store.FactKey
	sent     int
	refused  int
	// wrong answers: a forged request that was taken, a good one that was refused.
	wrong []string
}

// newSenders makes a sender and a forger for each source of the agreement.
func newSenders(a *agreement.Agreement, base string, secret func(string) (string, error)) (*senders, error) {
	s := &senders{bySource: map[string]*sender.Sender{}, forged: map[string]*sender.Sender{}}
	for _, src := range a.Sources {
		value, err := secret(src.Verify.Secrets[0])
		if err != nil {
			return nil, err
		}
		other := value + "x"
		if src.Verify.Kind == preset.StandardWebhook {
			other = newWebhookSecret()
		}
		url := base + "/v1/hooks/" + src.Name
		s.bySource[src.Name] = sender.New(url, src.Verify.Proof, value, 30*time.Second)
		s.forged[src.Name] = sender.New(url, src.Verify.Proof, other, 30*time.Second)
	}
	return s, nil
}

// play posts the requests at their times and returns when all are answered.
func (s *senders) play(ctx context.Context, began time.Time, requests []request) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, 64)
	for _, r := range requests {
		t := time.NewTimer(time.Until(began.Add(r.After)))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			s.post(ctx, r)
		})
	}
}

func (s *senders) post(ctx context.Context, r request) {
	from := s.bySource[r.Source]
	if r.Forged {
		from = s.forged[r.Source]
	}
	answer, err := from.Post(ctx, r.ID, r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			s.sent += max(len(r.IDs), 1)
			s.wrong = append(s.wrong, err.Error())
		}
		return
	}
	s.sent += max(len(r.IDs), 1)
	for _, id := range answer.IDs {
		s.accepted = append(s.accepted, store.FactKey{Source: r.Source, ID: id})
	}
	s.refused += max(len(r.IDs), 1) - len(answer.IDs)
	want := http.StatusAccepted
	if r.Forged {
		want = http.StatusUnauthorized
	} else if r.Broken {
		want = http.StatusBadRequest
	}
	if answer.Status != want {
		s.wrong = append(s.wrong, "request "+r.ID+" of "+r.Source+" was answered "+http.StatusText(answer.Status)+", not "+http.StatusText(want)+": "+answer.Detail)
	}
}

func (s *senders) close() {
	for _, group := range []map[string]*sender.Sender{s.bySource, s.forged} {
		for _, one := range group {
			one.Close()
		}
	}
}
