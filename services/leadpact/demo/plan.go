package demo

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Sources of the demonstration's agreement.
const (
	website = "website"
	forms   = "forms"
	crm     = "crm"
)

// request is one webhook to be sent.
type request struct {
	// After is when, from the start.
	After  time.Duration
	Source string
	// ID of the request: the event's id for Standard Webhooks.
	ID   string
	Body []byte
	// Forged requests bear a wrong signature; Broken ones are no JSON. Both must be refused.
	Forged, Broken bool
	// IDs of the events in it.
	IDs []string
}

// touch is one thing a lead does.
type touch struct {
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	Email      string         `json:"email,omitempty"`
	ExternalID string         `json:"external_id,omitempty"`
	Name       string         `json:"name,omitempty"`
	Channel    string         `json:"channel,omitempty"`
	Fields     map[string]any `json:"fields,omitempty"`
}

// plan makes everything that will be sent within duration, pace people a second: the same seed, duration and pace give the same ids
// and bodies, to the byte. Times of day stand in no body, so nothing depends on when it runs.
func plan(seed uint64, duration time.Duration, pace float64) []request {
	rng := rand.New(rand.NewPCG(seed, 0x1ead)) //nolint:gosec // a play, not a secret
	people := max(int(duration.Seconds()*pace), 4)
	out := opening(seed)
	for i := range people {
		at := time.Duration(float64(duration) * (float64(i) + rng.Float64()) / float64(people))
		out = append(out, story(rng, seed, i, at)...)
	}
	// What real senders do too: the same again, late, forged, broken.
	for i := range out {
		switch p := rng.Float64(); {
		case p < .06:
			again := out[i]
			again.After += time.Duration(rng.IntN(3000)) * time.Millisecond
			out = append(out, again)
		case p < .08:
			forged := out[i]
			forged.Forged = true
			out = append(out, forged)
		case p < .09:
			out = append(out, request{After: out[i].After, Source: website, ID: fmt.Sprintf("broken-%d-%d", seed, i), Body: []byte(`{"id":"x","email":`), Broken: true})
		}
	}
	slices.SortStableFunc(out, func(a, b request) int { return cmp.Compare(a.After, b.After) })
	return slices.DeleteFunc(out, func(r request) bool { return r.After >= duration })
}

// opening is a rush of big companies that ask for a call: more than the reps who answer get between them before it is the silent
// one's turn, so that a promise is seen to break within seconds.
func opening(seed uint64) []request {
	var out []request
	for i := range 7 {
		who := fmt.Sprintf("opening-%d-%d", seed, i)
		out = append(out, newRequest(time.Duration(i)*150*time.Millisecond, forms, []touch{{
			ID: who + "-1", Type: "form_submitted", Email: who + "@example.com", Name: fmt.Sprintf("Opening %d", i), Channel: "paid",
			Fields: map[string]any{"employees": 300, "hand_raiser": true, "country": "US"},
		}}))
	}
	return out
}

// story is what one person does: a few visits, perhaps a webinar, mostly a form, sometimes a call for help; and what the CRM knows
// of the company.
func story(rng *rand.Rand, seed uint64, n int, at time.Duration) []request {
	who := fmt.Sprintf("person-%d-%d", seed, n)
	email := who + "@example.com"
	channel := []string{"organic", "paid", "webinar"}[rng.IntN(3)]
	employees := []int{5, 20, 80, 300, 2000}[rng.IntN(5)]
	hand := rng.Float64() < .15
	var out []request
	step := 0
	next := func() string { step++; return fmt.Sprintf("%s-%d", who, step) }
	send := func(source string, touches ...touch) {
		out = append(out, newRequest(at, source, touches))
		at += time.Duration(100+rng.IntN(900)) * time.Millisecond
	}
	visits := make([]touch, 1+rng.IntN(3))
	for i := range visits {
		visits[i] = touch{ID: next(), Type: "page_viewed", Email: email, Channel: channel}
	}
	send(website, visits...)
	if channel == "webinar" {
		send(website, touch{ID: next(), Type: "webinar_attended", Email: email, Channel: channel})
	}
	if rng.Float64() < .8 {
		send(crm, touch{ID: next(), Type: "company_enriched", Email: email, Fields: map[string]any{"employees": employees}})
	}
	if hand || rng.Float64() < .75 {
		fields := map[string]any{"country": []string{"US", "DE", "BR", "JP"}[rng.IntN(4)]}
		if hand {
			fields["hand_raiser"] = true
		}
		send(forms, touch{ID: next(), Type: "form_submitted", Email: email, Name: "Person " + fmt.Sprint(n), Channel: channel, Fields: fields})
	}
	// Some senders deliver late: the first visits come after all else.
	if rng.Float64() < .05 {
		out[0].After = at + 200*time.Millisecond
	}
	return out
}

func newRequest(at time.Duration, source string, touches []touch) request {
	r := request{After: at, Source: source, ID: touches[0].ID}
	var body any = touches
	for _, t := range touches {
		r.IDs = append(r.IDs, t.ID)
	}
	if source == forms {
		t := touches[0]
		t.ID = ""
		body = map[string]any{"type": t.Type, "data": t}
	} else if len(touches) == 1 {
		body = touches[0]
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("demo: a touch cannot be written as JSON: %v", err)) // texts, numbers and maps always can
	}
	r.Body = text
	return r
}

// digest is one hash over the ids and bodies of a plan, in its order.
func digest(requests []request) string {
	h := sha256.New()
	for _, r := range requests {
		_, _ = fmt.Fprintf(h, "%s\n%s\n%s\n", r.Source, r.ID, r.Body) // a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}
