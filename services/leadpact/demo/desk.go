package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// desk is where the notices for reps arrive, as a company's own chat or CRM would take them: it proves each one's signature, knows
// repeats by their key, and passes assignments to the rep.
type desk struct {
	hook     *standardwebhooks.Webhook
	listener net.Listener
	server   *http.Server
	assigned func(rep, lead string)

	mu       sync.Mutex
	seen     map[string]bool
	repeated int
	forged   int
}

func newDesk(ctx context.Context, secret string, assigned func(rep, lead string)) (*desk, error) {
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, fmt.Errorf("open the reps' desk: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the reps' desk: %w", err)
	}
	d := &desk{hook: hook, listener: l, assigned: assigned, seen: map[string]bool{}}
	d.server = &http.Server{Handler: http.HandlerFunc(d.take), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	return d, nil
}

func (d *desk) url() string { return "http://" + d.listener.Addr().String() + "/notices" }

func (d *desk) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if err := d.hook.Verify(body, r.Header); err != nil {
		d.mu.Lock()
		d.forged++
		d.mu.Unlock()
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var notice struct {
		Type string `json:"type"`
		Data struct {
			Lead string `json:"lead"`
			Rep  string `json:"rep"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &notice); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	key := r.Header.Get("Webhook-Id")
	d.mu.Lock()
	again := d.seen[key]
	d.seen[key] = true
	if again {
		d.repeated++
	}
	d.mu.Unlock()
	if !again && notice.Type == "lead.assigned" {
		d.assigned(notice.Data.Rep, notice.Data.Lead)
	}
	w.WriteHeader(http.StatusNoContent)
}

// counts are how many notices came, each once, how many came again, and how many bore a wrong signature.
func (d *desk) counts() Notices {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Notices{Received: len(d.seen), Repeated: d.repeated, Forged: d.forged}
}

// Notices is what the reps' desk got.
type Notices struct {
	Received int `json:"received"`
	Repeated int `json:"repeated"`
	Forged   int `json:"forged"`
}
