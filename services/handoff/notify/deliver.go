package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"code.dny.dev/ssrf"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/store"
)

// longest is the longest pause that a receiver may ask for.
const longest = 24 * time.Hour

// outcome is how one attempt ended.
type outcome struct {
	err error
	// final: trying again cannot help.
	final bool
	// pause that the receiver asked for.
	pause time.Duration
}

// client follows no redirect, uses no proxy, and refuses addresses inside our own networks after the name is resolved, so that a
// roster cannot be used to reach what stands behind the wall.
func client(cfg Config) *http.Client {
	var four, six []netip.Prefix
	for _, p := range cfg.Private {
		if p.Addr().Is4() {
			four = append(four, p)
		} else {
			six = append(six, p)
		}
	}
	guard := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(four...), ssrf.WithAllowedV6Prefixes(six...))
	return &http.Client{
		Timeout:       cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: cfg.Timeout, Control: guard.Safe}).DialContext,
			TLSHandshakeTimeout: cfg.Timeout,
			MaxIdleConnsPerHost: 4,
			IdleConnTimeout:     time.Minute,
			ForceAttemptHTTP2:   true,
		},
	}
}

// deliver makes one attempt and writes what came of it.
func (s *Sender) deliver(ctx context.Context, n store.Notice) {
	o := s.attempt(ctx, n)
	if ctx.Err() != nil && o.err != nil {
		return // we are stopping: the claim runs out and the notice is sent again
	}
	// A stop must not undo the knowledge of a notice that was sent.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Timeout)
	defer cancel()
	now, err := s.cfg.Store.Now(ctx)
	if err == nil {
		err = s.cfg.Store.SaveNotices(ctx, []store.Notice{s.settle(n, o, now)})
	}
	if err != nil {
		s.cfg.Log.Error("a notice's result was not stored; it will be sent again with the same key", "notice", n.Key, "error", err)
	}
}

// settle is the notice after an attempt.
func (s *Sender) settle(n store.Notice, o outcome, now time.Time) store.Notice {
	n.Attempts++
	result := "failed"
	switch {
	case o.err == nil:
		n.State, n.LastError, result = store.NoticeSent, "", "sent"
	case o.final || n.Attempts >= len(s.cfg.Schedule):
		n.State, n.LastError, result = store.NoticeDead, o.err.Error(), "dead"
	default:
		pause := s.cfg.Schedule[n.Attempts]
		// Up to a tenth later, so that what failed together is not tried together.
		pause += time.Duration(rand.Float64() * 0.1 * float64(pause)) //nolint:gosec // nobody gains by guessing it
		n.NextAt, n.LastError = now.Add(max(pause, o.pause)), o.err.Error()
	}
	s.sent.WithLabelValues(result).Inc()
	if o.err != nil {
		s.cfg.Log.Warn("a notice was not delivered", "notice", n.Key, "endpoint", n.Endpoint, "attempt", n.Attempts, "state", n.State, "error", n.LastError)
	}
	return n
}

func (s *Sender) attempt(ctx context.Context, n store.Notice) outcome {
	to, ok := s.cfg.Endpoint(n.Endpoint)
	if !ok {
		return outcome{final: true, err: fmt.Errorf("endpoint %q is no longer in the roster", n.Endpoint)}
	}
	if s.disabled(to) {
		return outcome{final: true, err: fmt.Errorf("endpoint %q answered 410 and is not told any more: give it another URL in the roster", to.Name)}
	}
	request, err := s.request(ctx, to, n)
	if err != nil {
		return outcome{err: err}
	}
	response, err := s.client.Do(request)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err // the URL may hold a secret
		}
		return outcome{err: fmt.Errorf("tell endpoint %q: %w", to.Name, err)}
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // read so that the connection can be used again
	return s.judge(to, response)
}

// request renders, signs and addresses one notice.
func (s *Sender) request(ctx context.Context, to agreement.Endpoint, n store.Notice) (*http.Request, error) {
	secret, err := s.cfg.Secret(to.Secret)
	if err != nil {
		return nil, fmt.Errorf("secret of endpoint %q: %w", to.Name, err)
	}
	signer, err := webhooks.NewWebhook(secret)
	if err != nil {
		return nil, fmt.Errorf("secret of endpoint %q is no Standard Webhooks secret (whsec_ and base64)", to.Name)
	}
	body, err := s.cfg.Render(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("render the notice: %w", err)
	}
	now, err := s.cfg.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	signature, err := signer.Sign(n.Key, now, body)
	if err != nil {
		return nil, fmt.Errorf("sign the notice: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil || request.URL.Scheme != "https" && (request.URL.Scheme != "http" || !s.cfg.PlainHTTP) {
		return nil, fmt.Errorf("endpoint %q needs an https URL", to.Name)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "leadpact")
	request.Header.Set(webhooks.HeaderWebhookID, n.Key)
	request.Header.Set(webhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(webhooks.HeaderWebhookSignature, signature)
	return request, nil
}

// judge: 2xx alone is success; a redirect is a failure like any other.
func (s *Sender) judge(to agreement.Endpoint, response *http.Response) outcome {
	code := response.StatusCode
	if code >= 200 && code < 300 {
		return outcome{}
	}
	o := outcome{err: fmt.Errorf("endpoint %q answered %d", to.Name, code)}
	if code == http.StatusGone {
		s.mu.Lock()
		s.gone[to] = true
		s.mu.Unlock()
		o.final = true
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		o.pause = min(time.Duration(seconds)*time.Second, longest)
	}
	return o
}

func (s *Sender) disabled(to agreement.Endpoint) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone[to]
}
