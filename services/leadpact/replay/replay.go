// Package replay sends recorded leads and outcomes through the webhook door as history: they fill what is known, and wake nobody.
package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/services/leadpact/sender"
)

const (
	// batch and batchBytes bound one request; the door takes 256 KiB.
	batch      = 100
	batchBytes = 200 << 10
	senders    = 4
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
	events []json.RawMessage
	lines  []int
	bytes  int
	done   int64
}

func (l *lot) add(event json.RawMessage, line int) {
	l.events, l.lines = append(l.events, event), append(l.lines, line)
	l.bytes += len(event)
}

// halves are the two parts of a lot.
func (l *lot) halves() []lot {
	n := len(l.events) / 2
	return []lot{{events: l.events[:n], lines: l.lines[:n], done: l.done}, {events: l.events[n:], lines: l.lines[n:], done: l.done}}
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
	defer f.Close() // only read
	counted := &counter{r: f}
	rows, err := newRows(o.Events, counted)
	if err != nil {
		return Report{}, err
	}
	if err := o.Mapping.fit(rows.columns()); err != nil {
		return Report{}, err
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Minute
	}
	source, err := reach(ctx, o.To)
	if err != nil {
		return Report{}, err
	}
	r := &runner{
		o: o, source: source, rows: rows, counted: counted, sender: sender.New(o.To, verify, secret, o.Patience),
		report: Report{Refused: []Refused{}},
	}
	defer r.sender.Close()
	err = r.run(ctx)
	slices.SortFunc(r.report.Refused, func(a, b Refused) int { return a.Line - b.Line })
	return r.report, err
}

// reach returns the source that the address names. It says at once when nobody listens there: a wrong address would look like a
// long wait otherwise.
func reach(ctx context.Context, to string) (source string, err error) {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", fmt.Errorf("%q is no address of a hook: give http://host:port/v1/hooks/NAME", to)
	}
	source, found := strings.CutPrefix(u.Path, "/v1/hooks/")
	if !found || source == "" || strings.Contains(source, "/") {
		return "", fmt.Errorf("%q names no source: give http://host:port/v1/hooks/NAME", to)
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), u.Scheme)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return "", fmt.Errorf("nobody answers at %s: is leadpact serve running there? %w", host, err)
	}
	return source, conn.Close()
}

type runner struct {
	o       Options
	source  string
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
		var text []byte
		if err == nil {
			text, err = r.event(row)
		}
		if err != nil {
			r.refuse(Refused{Line: line, Reason: err.Error()})
			continue
		}
		if len(l.events) == batch || l.bytes+len(text) > batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		l.add(text, line)
	}
}

func (r *runner) event(row map[string]string) ([]byte, error) {
	e, err := r.o.Mapping.event(row)
	if err != nil {
		return nil, err
	}
	return json.Marshal(e)
}

// send sends a lot. When the door refuses it whole, its halves go by themselves, down to the row that is at fault.
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
	r.report.Retries += answer.Tries - 1
	r.mu.Unlock()
	whole := answer.Status == http.StatusBadRequest || answer.Status == http.StatusRequestEntityTooLarge
	if whole && len(l.events) > 1 {
		for _, half := range l.halves() {
			if err := r.send(ctx, half); err != nil {
				return err
			}
		}
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case whole:
		r.report.Refused = append(r.report.Refused, Refused{Line: l.lines[0], Reason: answer.Detail})
	case answer.Status == http.StatusAccepted || answer.Status == http.StatusUnprocessableEntity:
		if err := r.taken(answer, l); err != nil {
			return err
		}
	default:
		return fmt.Errorf("the door answered %d: %s", answer.Status, answer.Detail)
	}
	if r.o.Progress != nil {
		r.o.Progress(l.done)
	}
	return nil
}

// taken notes which events are durable and which were refused. Locked by its caller.
func (r *runner) taken(answer sender.Answer, l lot) error {
	for _, refused := range answer.Refused {
		if refused.Index < 0 || refused.Index >= len(l.lines) {
			return fmt.Errorf("the door refused event %d of a batch of %d: is it a leadpact door?", refused.Index, len(l.lines))
		}
		r.report.Refused = append(r.report.Refused, Refused{Line: l.lines[refused.Index], ID: refused.ID, Reason: refused.Detail})
	}
	r.report.Accepted += len(answer.IDs)
	if r.o.Accepted == nil {
		return nil
	}
	for _, id := range answer.IDs {
		if _, err := fmt.Fprintf(r.o.Accepted, "%s\t%s\n", r.source, id); err != nil {
			return fmt.Errorf("write the accepted ids: %w", err)
		}
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
