package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
)

// TestThinSource: HubSpot's app tells that there is a contact, and no more. It is asked for the rest, fails first, and the lead gets to a
// rep all the same.
func TestThinSource(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := path.Base(r.URL.Path)
		mu.Lock()
		asked[id]++
		first := asked[id] == 1
		mu.Unlock()
		switch {
		case r.Header.Get("Authorization") != "Bearer a secret for env:CRM":
			w.WriteHeader(http.StatusUnauthorized)
		case first:
			w.WriteHeader(http.StatusBadGateway)
		default:
			_, _ = fmt.Fprintf(w, `{"id":%q,"properties":{"email":"lea%s@example.com","hand_raiser":"true"},"updatedAt":"2026-03-02T09:00:00Z"}`, id, id)
		}
	}))
	defer vendor.Close()
	cfg := apptest.Config(t, t.TempDir())
	cfg.HubSpot = vendor.URL
	text := strings.Replace(string(apptest.Agreement), "sources:\n", "sources:\n  hubspot: {preset: hubspot-app, verify: {bearer: env:CRM}, fetch: {token: env:CRM}}\n", 1)
	if err := os.WriteFile(cfg.Agreement, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := apptest.Start(t, cfg)
	body := `[{"eventId":1,"subscriptionId":9,"portalId":7,"occurredAt":1767225600000,"subscriptionType":"contact.creation","objectId":501},
		{"eventId":2,"subscriptionId":9,"portalId":7,"occurredAt":1767225600001,"subscriptionType":"contact.propertyChange","objectId":501},
		{"eventId":3,"subscriptionId":9,"portalId":7,"occurredAt":1767225600002,"subscriptionType":"contact.creation","objectId":502}]`
	for range 2 { // the sender was not sure
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.HTTPAddr()+"/v1/hooks/hubspot", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer a secret for env:CRM")
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusAccepted {
			t.Fatalf("the door answers %d, %v", resp.StatusCode, err)
		}
	}
	one, other := s.Assigned(t, "lea501@example.com"), s.Assigned(t, "lea502@example.com")
	if one.GetLead() == other.GetLead() {
		t.Error("two contacts are one lead")
	}
	settled(t, s)
	facts := map[string]int{}
	err := apptest.Stores(t, s.Data).Scoring.EachLead(t.Context(), func(l store.Lead, _ []string, rows []store.FactRow) error {
		facts[l.ID] = len(rows)
		return nil
	})
	// Of each event the thin one, and what was fetched once for the contact.
	if err != nil || len(facts) != 2 || facts[one.GetLead()] != 3 || facts[other.GetLead()] != 2 {
		t.Errorf("facts by lead: %v, %v", facts, err)
	}
}
