package verify

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/bus"
)

// queues are what waits at the doors.
type queues struct {
	// messages that wait, by consumer or by outbox, where there are any.
	messages map[string]float64
	// errands are still to be fetched from their sender. They may wait for hours, and nothing else waits for them.
	errands float64
}

// drained waits until the running processes show no lag and no queue, twice in a row: between two services an event can be in
// neither for a moment. It returns how long that took, and the errands that are left.
func drained(ctx context.Context, doors []string, patience time.Duration) (took time.Duration, errands float64, err error) {
	began, calm := time.Now(), 0
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	for {
		q, err := waiting(ctx, client, doors)
		switch {
		case err == nil && len(q.messages) == 0:
			if calm++; calm >= 2 {
				return time.Since(began), q.errands, nil
			}
		default:
			calm = 0
		}
		if time.Since(began) > patience {
			if err == nil {
				err = fmt.Errorf("messages still wait: %s", q)
			}
			return 0, 0, fmt.Errorf("after %s: %w", patience, err)
		}
		t := time.NewTimer(300 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return 0, 0, ctx.Err()
		case <-t.C:
		}
	}
}

// String names who still has messages before it.
func (q *queues) String() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(q.messages)) {
		out = append(out, fmt.Sprintf("%s %.0f", name, q.messages[name]))
	}
	return strings.Join(out, ", ")
}

// waiting asks all doors. Each of them shows the whole cluster, so the largest number counts.
func waiting(ctx context.Context, client *http.Client, doors []string) (*queues, error) {
	q := &queues{messages: map[string]float64{}}
	for _, door := range doors {
		seen, err := q.ask(ctx, client, door)
		if err != nil {
			return nil, err
		}
		if !seen {
			return nil, fmt.Errorf("%s shows no lag: its bus is away", door)
		}
	}
	return q, nil
}

// ask adds what waits at one door, and says whether it shows any lag, be it 0.
func (q *queues) ask(ctx context.Context, client *http.Client, door string) (seen bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+door+"/metrics", nil)
	if err != nil {
		return false, fmt.Errorf("ask %s: %w", door, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return false, fmt.Errorf("ask %s: %w", door, err)
	}
	defer resp.Body.Close() // only read
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("ask %s: it answered %s", door, resp.Status)
	}
	s := bufio.NewScanner(io.LimitReader(resp.Body, 64<<20))
	s.Buffer(make([]byte, 64<<10), 1<<20)
	for s.Scan() {
		rest, lag := strings.CutPrefix(s.Text(), `leadpact_bus_lag_messages{consumer="`)
		whose := "consumer "
		if !lag {
			var outbox bool
			if rest, outbox = strings.CutPrefix(rest, `leadpact_outbox_messages{service="`); !outbox {
				continue
			}
			whose = "outbox of "
		}
		seen = seen || lag
		name, value, _ := strings.Cut(rest, `"} `)
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return false, fmt.Errorf("ask %s: %q is no number", door, value)
		}
		switch {
		case n == 0:
		case lag && name == bus.ErrandConsumer:
			q.errands = max(q.errands, n)
		default:
			q.messages[whose+name] = max(q.messages[whose+name], n)
		}
	}
	return seen, s.Err()
}
