package ingest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
)

// A thin event is accepted when word of what must be fetched is safe too, and not before.
func TestThinEventsLeaveAnErrand(t *testing.T) {
	t.Parallel()
	log := &faulty{partitions: 2}
	away := true
	log.errand = func(context.Context) error {
		if away {
			return errors.New("away")
		}
		return nil
	}
	w := newWorld(t, log, nil)
	w.agreements.Store(parsed(t, strings.Replace(contract, "sources:\n",
		"sources:\n  thin: {preset: hubspot-app, verify: {bearer: env:FORM}, fetch: {token: env:FORM}}\n  alone: {preset: hubspot-app, verify: {bearer: env:FORM}}\n", 1)))
	w.opened()
	send := func(source, body string) int {
		r := request(t, source, body)
		r.Header.Set("Authorization", "Bearer form-token")
		return w.send(r).Code
	}
	thin := func(event, object string) string {
		return `{"eventId":` + event + `,"subscriptionId":9,"occurredAt":1767225600000,"subscriptionType":"contact.creation","objectId":` + object + `}`
	}
	if code := send("thin", "["+thin("1", "501")+"]"); code != http.StatusServiceUnavailable || len(log.stored()) != 0 {
		t.Fatalf("answered %d; stored %v", code, log.stored())
	}
	if code := send("form", `{"id":"f1","external_id":"1"}`) + send("alone", "["+thin("2", "502")+"]"); code != 2*http.StatusAccepted {
		t.Errorf("whoever needs nothing fetched is turned away: %d", code)
	}
	away = false
	if code := send("thin", "["+thin("3", "503")+","+thin("4", "504")+"]"); code != http.StatusAccepted {
		t.Fatalf("answered %d", code)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if len(log.errands) != 1 || len(log.errands[0].events) != 2 {
		t.Fatalf("left %v", log.errands)
	}
	for i, id := range []string{"503", "504"} {
		if lr := log.errands[0].events[i].GetLeadReceived(); lr.GetExternalId() != id || lr.GetFetch() != "hubspot-contact" || log.errands[0].events[i].GetSource() != "thin" {
			t.Errorf("left %v", log.errands[0].events[i])
		}
	}
}
