package process

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// form posts to the process as a form's backend does, over connections that stay open.
type form struct {
	door, secret string
	client       *http.Client
}

func (p *process) form(connections int) *form {
	return &form{door: p.http, secret: p.secret, client: &http.Client{
		Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, DisableCompression: true},
	}}
}

func (f *form) close() { f.client.CloseIdleConnections() }

// post sends body once. Other answers than 202 and 503 are errors; after, above 0, is how long a 503 asks to wait.
func (f *form) post(ctx context.Context, body []byte) (taken bool, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+f.door+"/v1/hooks/form", bytes.NewReader(body))
	if err != nil {
		return false, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+f.secret)
	resp, err := f.client.Do(req)
	if err != nil {
		return false, 0, err
	}
	defer resp.Body.Close() // read to its end below
	said, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return false, 0, fmt.Errorf("read the door's answer: %w", err)
	case resp.StatusCode == http.StatusAccepted:
		return true, 0, nil
	case resp.StatusCode == http.StatusServiceUnavailable:
		seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if err != nil {
			seconds = 1
		}
		return false, time.Duration(max(seconds, 1)) * time.Second, nil
	}
	return false, 0, fmt.Errorf("the door answered %s: %.300s", resp.Status, said)
}

// person n fills in the form and asks for a call.
func person(n int) []byte {
	return fmt.Appendf(nil, `{"id":"p-%d","type":"form_submitted","email":"p%d@example.com","name":"Person %d","fields":{"hand_raiser":true,"employees":%d}}`, n, n, n, n%500)
}

// batch is a body of size events beginning with the nth: four touches of each person, of whom one in ten asks for a call.
func batch(n, size int) []byte {
	b := []byte{'['}
	for i := n; i < n+size; i++ {
		if i > n {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"id":"t-%d","type":"page_viewed","email":"b%d@example.com","fields":{"hand_raiser":%t,"employees":%d}}`, i, i/4, i/4%10 == 0, i/4%500)
	}
	return append(b, ']')
}

// metrics sums each named metric over its series, as a scrape shows them.
func (p *process) metrics(ctx context.Context, names ...string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.http+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("scrape /metrics: %w", err)
	}
	defer resp.Body.Close() // only read
	out := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		series, value, ok := cutLast(lines.Text())
		name, _, _ := strings.Cut(series, "{")
		for _, want := range names {
			if !ok || name != want {
				continue
			}
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return nil, fmt.Errorf("scrape /metrics: %q is no number", value)
			}
			out[name] += v
		}
	}
	for _, want := range names {
		if _, ok := out[want]; !ok && lines.Err() == nil {
			return nil, fmt.Errorf("/metrics shows no %s: %s", want, resp.Status)
		}
	}
	return out, lines.Err()
}

func cutLast(line string) (before, after string, ok bool) {
	if i := strings.LastIndexByte(line, ' '); i > 0 {
		return line[:i], line[i+1:], true
	}
	return "", "", false
}

// taken posts body as soon as the door takes it.
func (p *process) taken(ctx context.Context, f *form, body []byte) error {
	return p.until(ctx, 5*time.Millisecond, "the door", func() (bool, error) {
		taken, _, err := f.post(ctx, body)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return false, nil
		}
		return taken, err
	})
}
