package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
)

// presetOf is the preset whose proof a scheme of the recorded vectors is.
var presetOf = map[string]string{
	"hubspot-v1": "hubspot-app-v1", "hubspot-v2": "hubspot-workflow-v2", "hubspot-v3": "hubspot-workflow",
	"standard-webhooks": "standard-webhooks", "standard-webhooks-v1": "standard-webhooks", "x-hub-sha256": "meta", "mautic": "mautic",
	"typeform": "typeform", "calendly": "calendly", "intercom": "intercom", "customerio": "customerio", "segment": "segment",
	"segment-batch": "segment", "linkedin-push": "linkedin", "linkedin-challenge": "linkedin", "pipedrive-basic": "pipedrive",
}

// vector is a recorded request with its proof, as either list of the file writes it.
type vector struct {
	ID       string            `json:"id"`
	Scheme   string            `json:"scheme"`
	Secret   string            `json:"secret"`
	User     string            `json:"user"`
	Password string            `json:"password"`
	Method   string            `json:"method"`
	URI      string            `json:"uri"`
	URL      string            `json:"url"`
	Body     string            `json:"body"`
	Headers  map[string]string `json:"headers"`

	MessageID string `json:"msg_id"`
	Timestamp any    `json:"timestamp"`
	Signature string `json:"signature"`
	Header    string `json:"header"`

	Query    string            `json:"query"`
	Response map[string]string `json:"response"`
}

// checkVectors prints what became of each vector, and returns how many failed.
func checkVectors(file string) (wrong int, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var recorded struct {
		Vectors []vector `json:"vectors"`
		Vendors []vector `json:"from_vendor_tests"`
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	all := slices.Concat(recorded.Vectors, recorded.Vendors)
	if len(all) == 0 {
		return 0, fmt.Errorf("%s holds no vectors", file)
	}
	fmt.Printf("%-24s %-20s %9s %9s  %s\n", "vector", "preset", "flips", "times", "result")
	for _, v := range all {
		name := v.ID
		if name == "" {
			name = v.Scheme
		}
		flips, times, err := v.check()
		result := "holds"
		if err != nil {
			result, wrong = "WRONG: "+err.Error(), wrong+1
		}
		fmt.Printf("%-24s %-20s %9d %9d  %s\n", name, presetOf[v.Scheme], flips, times, result)
	}
	return wrong, nil
}

// check verifies a vector, makes it anew, and tries what must fail: each flipped byte, and times too far away. It returns how many.
func (v vector) check() (flips, times int, err error) {
	name, ok := presetOf[v.Scheme]
	if !ok {
		return 0, 0, errors.New("no preset is known for it")
	}
	p, err := preset.ByName(name)
	if err != nil {
		return 0, 0, err
	}
	if v.Response != nil {
		return 0, 0, v.challenge(p)
	}
	secret := v.Secret
	if v.User != "" {
		secret = v.User + ":" + v.Password
	}
	holds, err := hook.NewVerifier(p.Proof, secret)
	if err != nil {
		return 0, 0, err
	}
	now, err := v.signedAt(p.Proof)
	if err != nil {
		return 0, 0, err
	}
	if err := holds.Verify(v.request(), now); err != nil {
		return 0, 0, err
	}
	if err := v.signs(p.Proof, secret, now); err != nil {
		return 0, 0, err
	}
	if flips, err = v.flip(holds, now); err != nil {
		return flips, 0, err
	}
	if p.Proof.Time == nil && p.Proof.Kind != preset.StandardWebhook {
		return flips, 0, nil
	}
	const most = 5 * time.Minute
	for _, edge := range []time.Duration{most, -most} {
		if err := holds.Verify(v.request(), now.Add(edge)); err != nil {
			return flips, times, fmt.Errorf("%s away: %w", edge, err)
		}
	}
	for _, off := range []time.Duration{most + time.Second, time.Hour, 72 * time.Hour, -most - time.Second, -time.Hour, -72 * time.Hour} {
		if times++; holds.Verify(v.request(), now.Add(off)) == nil {
			return flips, times, fmt.Errorf("%s away it is taken", off)
		}
	}
	return flips, times, nil
}

func (v vector) request() *hook.Request {
	r := &hook.Request{Method: v.Method, URI: v.URI, Header: http.Header{}, Body: []byte(v.Body)}
	if r.Method == "" {
		r.Method = http.MethodPost
	}
	if r.URI == "" {
		r.URI = v.URL
	}
	for name, value := range v.Headers {
		r.Header.Set(name, value)
	}
	if v.Header != "" {
		r.Header.Set(v.Header, v.Signature)
	}
	if v.MessageID != "" {
		r.Header.Set("Webhook-Id", v.MessageID)
		r.Header.Set("Webhook-Timestamp", fmt.Sprint(v.Timestamp))
	}
	return r
}

// signedAt is the time that the vector bears.
func (v vector) signedAt(p preset.Proof) (time.Time, error) {
	h := v.request().Header
	text := h.Get("Webhook-Timestamp")
	switch {
	case p.Kind == preset.StandardWebhook:
	case p.Time == nil:
		return time.Time{}, nil
	case p.Time.Header != "":
		text = h.Get(p.Time.Header)
	default:
		for part := range strings.SplitSeq(h.Get(p.Header), ",") {
			if value, ok := strings.CutPrefix(part, p.Time.Part+"="); ok {
				text = value
			}
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("its time: %w", err)
	}
	if p.Time != nil && p.Time.Millis {
		return time.UnixMilli(n), nil
	}
	return time.Unix(n, 0), nil
}

// signs makes the proof anew and compares it with the recorded one.
func (v vector) signs(p preset.Proof, secret string, now time.Time) error {
	want, r := v.request(), v.request()
	r.Header = http.Header{}
	if id := want.Header.Get("Webhook-Id"); id != "" {
		r.Header.Set("Webhook-Id", id)
	}
	if err := hook.Sign(p, secret, r, now); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	for name := range r.Header {
		if r.Header.Get(name) != want.Header.Get(name) {
			return fmt.Errorf("%s is signed as %s", name, r.Header.Get(name))
		}
	}
	return nil
}

// flip turns a bit of every byte of the body and of the proof's headers.
func (v vector) flip(holds hook.Verifier, now time.Time) (tried int, err error) {
	from, until := 0, len(v.Body)
	if v.Scheme == "segment-batch" { // the signature covers the first event
		var events []json.RawMessage
		if err := json.Unmarshal([]byte(v.Body), &events); err != nil {
			return 0, err
		}
		from = bytes.Index([]byte(v.Body), events[0])
		until = from + len(events[0])
	}
	for i := from; i < until; i++ {
		r := v.request()
		r.Body[i] ^= 1
		if tried++; holds.Verify(r, now) == nil {
			return tried, fmt.Errorf("byte %d of the body is not covered", i)
		}
	}
	for name, values := range v.request().Header {
		if name == "X-Hubspot-Signature-Version" { // says only which of its signatures it is
			continue
		}
		text := values[0]
		start := strings.IndexByte(text, ' ') + 1 // a scheme before it may be written in large or small letters
		for i := start; i < len(text); i++ {
			r := v.request()
			changed := []byte(text)
			changed[i] ^= 1
			r.Header.Set(name, string(changed))
			if tried++; holds.Verify(r, now) == nil {
				return tried, fmt.Errorf("byte %d of %s is not covered", i, name)
			}
		}
	}
	return tried, nil
}

// challenge asks as the sender does whether the address is ours.
func (v vector) challenge(p preset.Preset) error {
	query, err := url.ParseQuery(v.Query)
	if err != nil {
		return err
	}
	answer, ok := hook.Challenge(p.Challenge, &hook.Request{Method: http.MethodGet, Query: query, Header: http.Header{}}, []string{v.Secret})
	if !ok {
		return errors.New("the challenge is not answered")
	}
	var got map[string]string
	if err := json.Unmarshal(answer.Body, &got); err != nil {
		return fmt.Errorf("the answer: %w", err)
	}
	for name, want := range v.Response {
		if got[name] != want {
			return fmt.Errorf("%s is answered as %q", name, got[name])
		}
	}
	return nil
}
