// Package replay sends recorded leads and outcomes through the webhook door as history: they fill what is known, and wake nobody.
package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/services/leadpact/sender"
)

const (
	batch   = 100
	senders = 4
)

// Options say what to replay.
type Options struct {
	// Events is a .csv or .jsonl file; To is the address of a source's hook.
	Events, To string
	Mapping    *Mapping
	// Secret resolves the reference in the mapping.
	Secret func(ref string) (string, error)
	// Progress is told how many bytes of the file are done.
	Progress func(done int64)
	// Accepted gets the events that are durable, "source<TAB>id" a line, as verify reads them; nil for none.
	Accepted io.Writer
	// Patience is how long one batch is tried; 0 means five minutes.
	Patience time.Duration
}

// Refused is a row that was not taken.
type Refused struct {
	Line   int    `json:"line"`
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason"`
}

// Report is what became of the rows.
type Report struct {
	Rows     int       `json:"rows"`
	Accepted int       `json:"accepted"`
	Refused  []Refused `json:"refused"`
	Retries  int       `json:"retries"`
}

// lot is a batch on its way, with the line of each event.
type lot struct {
	events []map[string]any
	lines  []int
	done   int64
}

// Run replays a file. It returns an error when it could not go on to the end; the report says what was done until then, and
// running it again repeats nothing, because every event keeps its id.
func Run(ctx context.Context, o Options) (Report, error) {
	verify, ref, err := o.Mapping.proof()
	if err != nil {
		return Report{}, err
	}
	secret, err := o.Secret(ref)
	if err != nil {
		return Report{}, err
	}
	f, err := os.Open(o.Events)
	if err != nil {
		return Report{}, fmt.Errorf("open the events: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	counted := &counter{r: f}
	rows, err := newRows(o.Events, counted)
	if err != nil {
		return Report{}, err
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Minute
	}
	if err := reach(ctx, o.To); err != nil {
		return Report{}, err
	}
	r := &runner{o: o, rows: rows, counted: counted, sender: sender.New(o.To, verify, secret, o.Patience)}
	defer r.sender.Close()
	err = r.run(ctx)
	slices.SortFunc(r.report.Refused, func(a, b Refused) int { return a.Line - b.Line })
	return r.report, err
}

// reach says at once when nobody listens at the address: a wrong one would look like a long wait otherwise.
func reach(ctx context.Context, to string) error {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" {
		return fmt.Errorf("%q is no address: give http://host:port/v1/hooks/NAME", to)
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return fmt.Errorf("nobody answers at %s: is leadpact serve running there? %w", host, err)
	}
	return conn.Close()
}

type runner struct {
	o       Options
	rows    rows
	counted *counter
	sender  *sender.Sender

	mu     sync.Mutex
	report Report
}

func (r *runner) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	lots := make(chan lot)
	g.Go(func() error {
		defer close(lots)
		return r.read(ctx, lots)
	})
	for range senders {
		g.Go(func() error {
			for l := range lots {
				if err := r.send(ctx, l); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// read maps the rows and cuts them into lots.
func (r *runner) read(ctx context.Context, lots chan<- lot) error {
	var l lot
	flush := func() error {
		if len(l.events) == 0 {
			return nil
		}
		l.done = r.counted.n
		select {
		case lots <- l:
			l = lot{}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for {
		row, line, err := r.rows.next()
		if errors.Is(err, io.EOF) {
			return flush()
		}
		if err != nil && line == 0 {
			return fmt.Errorf("read %s: %w", r.o.Events, err)
		}
		r.mu.Lock()
		r.report.Rows++
		r.mu.Unlock()
		if err == nil {
			var e map[string]any
			if e, err = r.o.Mapping.event(row); err == nil {
				l.events, l.lines = append(l.events, e), append(l.lines, line)
			}
		}
		if err != nil {
			r.refuse(Refused{Line: line, Reason: err.Error()})
		}
		if len(l.events) == batch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}

func (r *runner) send(ctx context.Context, l lot) error {
	body, err := json.Marshal(l.events)
	if err != nil {
		return fmt.Errorf("write a batch: %w", err)
	}
	answer, err := r.sender.Post(ctx, "", body)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Retries += answer.Tries - 1
	switch {
	case answer.Status == 202 || answer.Status == 422:
		r.report.Accepted += len(answer.IDs)
		for _, refused := range answer.Refused {
			r.report.Refused = append(r.report.Refused, Refused{Line: l.lines[refused.Index], ID: refused.ID, Reason: refused.Detail})
		}
	default:
		return fmt.Errorf("the door answered %d: %s", answer.Status, answer.Detail)
	}
	if r.o.Accepted != nil {
		for _, id := range answer.IDs {
			if _, err := fmt.Fprintf(r.o.Accepted, "%s\t%s\n", path.Base(r.o.To), id); err != nil {
				return fmt.Errorf("write the accepted ids: %w", err)
			}
		}
	}
	if r.o.Progress != nil {
		r.o.Progress(l.done)
	}
	return nil
}

func (r *runner) refuse(refused Refused) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Refused = append(r.report.Refused, refused)
}

// counter counts the bytes read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
