package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/hook"
)

// outage is how long NATS is away.
const outage = time.Minute

// retries plays how three tools repeat themselves while every NATS server is away, and asks in the end whether each event was applied,
// and once. The tools' pauses of minutes and hours are played in seconds.
func retries(ctx context.Context, o options, p *production, d doors) error {
	out, err := os.OpenFile(filepath.Join(o.dir, "accepted"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	tools := []*tool{
		{source: "mautic", secret: mauticSecret, body: mauticBody, batch: 40, pause: mauticPause},
		{source: "hubspot", secret: hubspotSecret, body: hubspotBody, batch: 1, pause: hubspotPause},
		{source: "salesforce", secret: salesforceSecret, body: salesforceBody, batch: 20, pause: salesforcePause},
	}
	posting, end := context.WithCancel(ctx)
	defer end()
	var wg sync.WaitGroup
	for i, t := range tools {
		if t.reads, err = sourceOf(t.source); err != nil {
			return err
		}
		t.door, t.accepted = d.hooks[i%len(d.hooks)], out
		wg.Go(func() { t.run(ctx, posting) })
	}
	wait(ctx, 10*time.Second)
	for _, s := range p.servers {
		s.end(syscall.SIGTERM)
	}
	fmt.Printf("NATS is away for %s\n", outage)
	wait(ctx, outage)
	for _, s := range p.servers {
		if err := s.start(); err != nil {
			return err
		}
	}
	for _, s := range p.servers {
		if err := s.await(ctx, 30*time.Second); err != nil {
			return err
		}
	}
	fmt.Println("NATS is back")
	wait(ctx, 10*time.Second)
	end()
	wg.Wait()
	var sent int64
	for _, t := range tools {
		fmt.Printf("%-11s %5d events in %5d requests, %d of them repeats; answers %s\n", t.source, t.made.Load(), t.requests.Load(), t.repeats.Load(), t.told())
		if t.failure != nil {
			return fmt.Errorf("%s: %w", t.source, t.failure)
		}
		if t.repeats.Load() == 0 {
			return fmt.Errorf("%s never had to repeat itself: nothing was tried", t.source)
		}
		sent += t.made.Load()
	}
	if err := p.verify(ctx, out.Name()); err != nil {
		return err
	}
	applied, err := p.sum(ctx, `leadpact_scoring_facts_total{result="applied"}`)
	if err != nil {
		return err
	}
	if int64(applied) != sent {
		return fmt.Errorf("%d events were sent and %.0f applied", sent, applied)
	}
	fmt.Printf("%d events, each applied once\n", sent)
	return nil
}

// sourceOf is one of the agreement's sources, ready to read.
func sourceOf(name string) (*hook.Source, error) {
	a, faults := agreement.Parse("agreement.yaml", agreementText)
	if len(faults) > 0 {
		return nil, agreement.Faults(faults)
	}
	s, ok := a.Source(name)
	if !ok {
		return nil, fmt.Errorf("the agreement has no source %q", name)
	}
	return hook.New(a, s), nil
}

// tool is one sender with its manners.
type tool struct {
	source, secret string
	// reads is the source as the product reads it.
	reads *hook.Source
	// body is what it posts for the events of those numbers.
	body func(numbers []int64) (body []byte, contentType string)
	// batch is how many events it puts into one request at most.
	batch int
	// pause is how long it waits after the n-th failed try, which may have been told when to come again.
	pause func(n int, retryAfter string) time.Duration

	door     string
	accepted io.Writer
	failure  error

	made, requests, repeats atomic.Int64
	mu                      sync.Mutex
	answers                 map[int]int
}

// run posts new events until posting ends, and each until it is taken.
func (t *tool) run(ctx, posting context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for posting.Err() == nil && ctx.Err() == nil {
		var numbers []int64
		for range 1 + rand.IntN(t.batch) { //nolint:gosec // a load, not a secret
			numbers = append(numbers, t.made.Add(1))
		}
		wg.Go(func() { t.deliver(ctx, numbers) })
		wait(posting, 250*time.Millisecond)
	}
}

// deliver repeats one delivery until it is taken.
func (t *tool) deliver(ctx context.Context, numbers []int64) {
	body, contentType := t.body(numbers)
	for n := 1; ctx.Err() == nil; n++ {
		t.requests.Add(1)
		status, retryAfter, err := t.post(ctx, body, contentType)
		if err == nil && status < 300 {
			t.keep(body, contentType)
			return
		}
		if err == nil && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout {
			t.fail(fmt.Errorf("told %d: it would never come again", status))
			return
		}
		if n > 60 {
			t.fail(errors.New("still not taken after 60 tries"))
			return
		}
		t.repeats.Add(1)
		wait(ctx, t.pause(n, retryAfter))
	}
}

func (t *tool) post(ctx context.Context, body []byte, contentType string) (status int, retryAfter string, err error) {
	url := "http://" + t.door + "/v1/hooks/" + t.source
	given := &hook.Request{Method: http.MethodPost, URI: url, Query: map[string][]string{}, Header: http.Header{"Content-Type": {contentType}}, Body: body}
	if err := hook.Sign(t.reads.Verify.Proof, t.secret, given, time.Now()); err != nil {
		return 0, "", err
	}
	if len(given.Query) > 0 {
		url += "?" + given.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(given.Body))
	if err != nil {
		return 0, "", err
	}
	req.Header = given.Header
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		t.count(0)
		return 0, "", err
	}
	_, _ = io.Copy(io.Discard, resp.Body) // the status says it all
	t.count(resp.StatusCode)
	return resp.StatusCode, resp.Header.Get("Retry-After"), resp.Body.Close()
}

func (t *tool) count(status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.answers == nil {
		t.answers = map[int]int{}
	}
	t.answers[status]++
}

func (t *tool) told() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimPrefix(fmt.Sprint(t.answers), "map")
}

func (t *tool) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failure = err
}

// keep writes down what was taken, by the ids that the product gives such a body.
func (t *tool) keep(body []byte, contentType string) {
	read, err := t.reads.Read(&hook.Request{Header: http.Header{"Content-Type": {contentType}}, Body: body}, time.Now())
	if err != nil {
		t.fail(err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range read.Events {
		if _, err := fmt.Fprintf(t.accepted, "%s\t%s\n", t.source, e.Event.GetId()); err != nil {
			t.failure = err
		}
	}
}

// The pauses of each tool, a minute of theirs as about a second of ours.

// mauticPause: the next run of its queue.
func mauticPause(int, string) time.Duration { return 5 * time.Second }

// hubspotPause doubles with jitter, and Retry-After counts.
func hubspotPause(n int, retryAfter string) time.Duration {
	if s, err := strconv.Atoi(retryAfter); err == nil {
		return time.Duration(s)*time.Second + time.Duration(rand.IntN(1000))*time.Millisecond //nolint:gosec // jitter
	}
	return min(time.Second<<min(n, 4), 15*time.Second) + time.Duration(rand.IntN(1000))*time.Millisecond //nolint:gosec // jitter
}

// salesforcePause doubles up to a bound.
func salesforcePause(n int, _ string) time.Duration {
	return min(time.Second<<min(n, 4), 12*time.Second)
}

// The bodies.

func mauticBody(numbers []int64) ([]byte, string) {
	var events []map[string]any
	for _, n := range numbers {
		events = append(events, map[string]any{
			"submission": map[string]any{
				"id": n, "form": map[string]any{"id": 4, "name": "Demo", "alias": "demo"}, "lead": map[string]any{"id": 100_000 + n},
				"dateSubmitted": "2026-11-01T09:00:00+00:00", "results": map[string]any{"email": fmt.Sprintf("m%d@example.com", n)},
			},
			"timestamp": "2026-11-01T09:00:01+00:00",
		})
	}
	return mustJSON(map[string]any{"mautic.form_on_submit": events}), "application/json"
}

func hubspotBody(numbers []int64) ([]byte, string) {
	n := numbers[0]
	return mustJSON(map[string]any{
		"vid": n, "properties": map[string]any{
			"email": map[string]any{"value": fmt.Sprintf("h%d@example.com", n)}, "lastmodifieddate": map[string]any{"value": strconv.FormatInt(1_790_000_000_000+n, 10)},
		},
	}), "application/json"
}

func salesforceBody(numbers []int64) ([]byte, string) {
	var b strings.Builder
	b.WriteString(`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>` +
		`<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>` + salesforceOrg + `</OrganizationId><ActionId>04k000000000001</ActionId>`)
	for _, n := range numbers {
		_, _ = fmt.Fprintf(&b, `<Notification><Id>04l%d</Id><sObject xsi:type="sf:Lead" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>00Q%d</sf:Id><sf:Email>s%d@example.com</sf:Email></sObject></Notification>`, n, n, n)
	}
	b.WriteString(`</notifications></soapenv:Body></soapenv:Envelope>`)
	return []byte(b.String()), "text/xml; charset=utf-8"
}

func mustJSON(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err) // of maps and texts
	}
	return out
}
