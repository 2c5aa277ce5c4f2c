package verify

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// drained waits until the running processes show no lag and no queue, twice in a row: between two services an event can be in
// neither for a moment.
func drained(ctx context.Context, doors []string, patience time.Duration) (time.Duration, error) {
	began, calm := time.Now(), 0
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	for {
		waiting, err := waiting(ctx, client, doors)
		switch {
		case err == nil && waiting == 0:
			if calm++; calm >= 2 {
				return time.Since(began), nil
			}
		default:
			calm = 0
		}
		if time.Since(began) > patience {
			if err == nil {
				err = fmt.Errorf("%.0f messages still wait", waiting)
			}
			return 0, fmt.Errorf("after %s: %w", patience, err)
		}
		t := time.NewTimer(300 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return 0, ctx.Err()
		case <-t.C:
		}
	}
}

// waiting sums lag and queues over all doors. Lag is of the whole cluster at each of them; a sum is 0 all the same.
func waiting(ctx context.Context, client *http.Client, doors []string) (float64, error) {
	total := 0.0
	for _, door := range doors {
		n, seen, err := one(ctx, client, door)
		if err != nil {
			return 0, err
		}
		if !seen {
			return 0, fmt.Errorf("%s shows no lag: its bus is away", door)
		}
		total += n
	}
	return total, nil
}

func one(ctx context.Context, client *http.Client, door string) (n float64, seen bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+door+"/metrics", nil)
	if err != nil {
		return 0, false, fmt.Errorf("ask %s: %w", door, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, false, fmt.Errorf("ask %s: %w", door, err)
	}
	defer resp.Body.Close() // only read
	if resp.StatusCode != http.StatusOK {
		return 0, false, fmt.Errorf("ask %s: it answered %s", door, resp.Status)
	}
	s := bufio.NewScanner(io.LimitReader(resp.Body, 64<<20))
	s.Buffer(make([]byte, 64<<10), 1<<20)
	for s.Scan() {
		lag := strings.HasPrefix(s.Text(), "leadpact_bus_lag_messages{")
		if !lag && !strings.HasPrefix(s.Text(), "leadpact_outbox_messages{") {
			continue
		}
		seen = seen || lag
		value := s.Text()[strings.LastIndexByte(s.Text(), ' ')+1:]
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, false, fmt.Errorf("ask %s: %q is no number", door, value)
		}
		n += v
	}
	return n, seen, s.Err()
}
