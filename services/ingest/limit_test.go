package ingest

import (
	"strings"
	"testing"
	"time"
)

// withLimit is the contract with a limit on the source form.
func withLimit(t *testing.T, limit string) string {
	t.Helper()
	const form = "    verify: {bearer: env:FORM}\n"
	if !strings.Contains(contract, form) {
		t.Fatal("the contract has changed")
	}
	return strings.Replace(contract, form, form+"    limit: "+limit+"\n", 1)
}

// A source may post as much as its agreement says; what it says may change while requests come.
func TestLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &faulty{partitions: 1}, nil).opened()
	body := person("1")
	for range 50 {
		w.took("without a limit", w.post("form", body))
	}
	w.agreements.Store(parsed(t, withLimit(t, "{per_second: 0.5, burst: 3}")))
	for range 3 {
		w.took("a burst", w.post("form", body))
	}
	refused := func(what, wait string) {
		t.Helper()
		rec := w.post("form", body)
		w.refused(what, rec, 429, typeRate)
		if got := rec.Header().Get("Retry-After"); got != wait {
			t.Errorf("%s: Retry-After is %s, want %s", what, got, wait)
		}
	}
	refused("more than a burst", "2")
	w.clock.move(500 * time.Millisecond)
	refused("half a second later", "2") // of one and a half, not a moment too early
	w.clock.move(1000 * time.Millisecond)
	refused("a moment before", "1")
	w.clock.move(500 * time.Millisecond)
	w.took("when it was told to come", w.post("form", body))
	refused("and again", "2")
	for range 10 {
		w.took("another source", w.post("crm", ofCRM("1")))
	}

	// Who cannot prove himself uses nothing up.
	w.clock.move(2 * time.Second)
	for range 20 {
		r := request(t, "form", body)
		r.Header.Set("Authorization", "Bearer "+canary)
		w.refused("a stranger", w.send(r), 401, typeSignature)
	}
	w.took("the source itself", w.post("form", body))

	// A version with the same limit goes on; another begins anew.
	w.agreements.Store(parsed(t, withLimit(t, "{per_second: 0.5, burst: 3}")+"\n"))
	refused("the same limit in another version", "2")
	w.agreements.Store(parsed(t, withLimit(t, "{per_second: 1, burst: 1}")))
	w.took("another limit", w.post("form", body))
	refused("which is used up", "1")
	w.agreements.Store(parsed(t, contract))
	for range 20 {
		w.took("no limit any more", w.post("form", body))
	}
}
