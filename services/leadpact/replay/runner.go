package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	senders = 4
	// window bounds the lots that are read and not counted, those behind a slow one included.
	window = 4 * senders
	// grace is how long what is on its way may take once the replay was told to stop.
	grace = 5 * time.Second
	// keepEvery is how often the state is kept.
	keepEvery = time.Second
)

// runner is one run.
type runner struct {
	o       Options
	file    *os.File
	size    int64
	began   time.Time
	rows    rows
	door    door
	hangUp  func()
	pace    pacer
	refused *os.File
	// Where this run began.
	startOffset int64
	startRows   int
	// window has a place for each lot on its way.
	window chan struct{}

	mu sync.Mutex
	// done are the lots that wait for those before them; next is the number of the one to be counted.
	done  map[int]*lot
	next  int
	state state
	kept  time.Time
	// broken is why nothing more is counted.
	broken error
}

func (r *runner) run(ctx context.Context) error {
	g, reading := errgroup.WithContext(ctx)
	// What is on its way when the reading ends is let through: else nobody would know what became of it.
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(reading, func() { time.AfterFunc(grace, cancel) })
	defer stop()
	lots := make(chan *lot)
	g.Go(func() error {
		defer close(lots)
		return r.read(reading, lots)
	})
	for range senders {
		g.Go(func() error {
			for l := range lots {
				if err := r.send(sending, l, 0, len(l.events)); err != nil {
					return err
				}
				if err := r.count(l); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// read maps the rows, cuts them into lots and lets them go at the rate.
func (r *runner) read(ctx context.Context, lots chan<- *lot) error {
	together := r.o.Rate.together()
	l := &lot{}
	flush := func() error {
		if l.rows == 0 {
			return nil
		}
		if err := r.pace.wait(ctx, l.rows); err != nil {
			return err
		}
		select {
		case r.window <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case lots <- l:
		case <-ctx.Done():
			return ctx.Err()
		}
		l = &lot{number: l.number + 1}
		return nil
	}
	for {
		row, line, err := r.rows.next()
		if errors.Is(err, io.EOF) {
			l.end = r.rows.offset()
			return flush()
		}
		if err != nil && line == 0 {
			return errors.Join(fmt.Errorf("read %s: %w", r.o.Events, err), flush())
		}
		var text []byte
		id := ""
		if err == nil {
			text, id, err = r.event(row)
		}
		if l.rows == together || l.bytes+len(text) > batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		if err != nil {
			l.refuse(refusal(line, id, err.Error()))
		} else {
			l.add(text, line)
		}
		l.end = r.rows.offset()
	}
}

func (r *runner) event(row map[string]string) (text []byte, id string, err error) {
	e, err := r.o.Mapping.event(row)
	id, _ = e["id"].(string) // none when the row has none
	if err != nil {
		return nil, id, err
	}
	text, err = json.Marshal(e)
	return text, id, err
}

// send sends the events [from, to) of a lot. When the door refuses them whole, the halves go by themselves, down to the row that is
// at fault.
func (r *runner) send(ctx context.Context, l *lot, from, to int) error {
	if from == to {
		return nil
	}
	body, err := json.Marshal(l.events[from:to])
	if err != nil {
		return fmt.Errorf("write a batch: %w", err)
	}
	answer, err := r.door.Post(ctx, "", body)
	if err != nil {
		return err
	}
	l.retries += answer.Tries - 1
	switch {
	case whole(answer.Status) && to-from > 1:
		half := from + (to-from)/2
		if err := r.send(ctx, l, from, half); err != nil {
			return err
		}
		return r.send(ctx, l, half, to)
	case whole(answer.Status):
		l.refused = append(l.refused, refusal(l.lines[from], "", answer.Detail))
	case answer.Status == http.StatusAccepted || answer.Status == http.StatusUnprocessableEntity:
		return l.taken(answer, from, to)
	default:
		return fmt.Errorf("the door answered %d: %s", answer.Status, answer.Detail)
	}
	return nil
}

// count counts a lot and those that waited for it, in their order.
func (r *runner) count(l *lot) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[l.number] = l
	for r.broken == nil && r.done[r.next] != nil {
		r.broken = r.write(r.done[r.next])
		delete(r.done, r.next)
		r.next++
		<-r.window
	}
	if r.broken == nil && time.Since(r.kept) >= keepEvery {
		r.broken = r.keep()
	}
	if r.broken != nil {
		return r.broken
	}
	if r.o.Progress != nil {
		r.o.Progress(r.progress())
	}
	return nil
}

// write notes what became of a lot's rows: of all, or of none. Locked by its caller.
func (r *runner) write(l *lot) error {
	var text bytes.Buffer
	if r.o.Accepted != nil {
		for _, id := range l.ids {
			_, _ = fmt.Fprintf(&text, "%s\t%s\n", r.state.Source, id)
		}
		if _, err := r.o.Accepted.Write(text.Bytes()); err != nil {
			return fmt.Errorf("write the accepted ids: %w", err)
		}
	}
	refused := l.inOrder()
	if r.refused != nil {
		text.Reset()
		lines := json.NewEncoder(&text)
		for _, one := range refused {
			if err := lines.Encode(one); err != nil {
				return fmt.Errorf("write a refused row down: %w", err)
			}
		}
		if _, err := r.refused.Write(text.Bytes()); err != nil {
			return fmt.Errorf("write the refused rows down: %w", err)
		}
		r.state.Written += int64(text.Len())
	}
	report := &r.state.Report
	for _, one := range refused {
		report.refuse(one)
	}
	report.Rows += l.rows
	report.Accepted += len(l.ids)
	report.Retries += l.retries
	r.state.Offset = l.end
	return nil
}

// keep keeps the state, after what it speaks of. A dry run keeps none. Locked by its caller.
func (r *runner) keep() error {
	r.kept = time.Now()
	if r.o.Rehearse != nil {
		return nil
	}
	if r.refused != nil {
		if err := r.refused.Sync(); err != nil {
			return fmt.Errorf("write the refused rows down: %w", err)
		}
	}
	return r.state.save(r.o.State, r.file)
}

// finish keeps the state of a replay that did not come to its end, and forgets that of one that did.
func (r *runner) finish(ended bool) error {
	switch {
	case !ended && r.state.Report.Rows > 0:
		return r.keep()
	case !ended || r.o.Rehearse != nil:
		return nil
	}
	if err := os.Remove(r.o.State); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the state of a replay that has ended: %w", err)
	}
	return nil
}

func (r *runner) progress() Progress {
	p := Progress{Done: r.state.Offset, Size: r.size, Rows: r.state.Report.Rows, Refused: r.state.Report.Refused}
	took := time.Since(r.began)
	if done := p.Done - r.startOffset; done > 0 && took > 0 {
		p.PerSecond = float64(p.Rows-r.startRows) / took.Seconds()
		p.Left = time.Duration(float64(took) * float64(max(0, p.Size-p.Done)) / float64(done))
	}
	return p
}

// close lets go of what the run holds, but for the events.
func (r *runner) close() {
	if r.hangUp != nil {
		r.hangUp()
	}
	if r.refused != nil {
		_ = r.refused.Close() // each line was written through, and synced with the state
	}
}
