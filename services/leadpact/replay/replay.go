// Package replay sends recorded leads and outcomes through the webhook door as history: they fill what is known, and wake nobody.
//
// Rows go in lots, several at a time, and are counted in their order: a lot counts when all before it do. So one offset says what is
// done, and a replay that is interrupted goes on there. What was on its way when a machine failed goes again; its ids are the same.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/leadpact/leadpact/services/leadpact/sender"
)

// ErrInterrupted: the replay was told to stop. What it did is kept, and running it again goes on from there.
var ErrInterrupted = errors.New("interrupted")

// Options say what to replay.
type Options struct {
	// Events is a .csv or .jsonl file; To is the address of a source's hook, not needed in a dry run.
	Events, To string
	Mapping    *Mapping
	// Secret resolves the reference in the mapping.
	Secret func(ref string) (string, error)
	// Rehearse makes it a dry run, which sends and keeps nothing; nil for the real one.
	Rehearse *Rehearsal
	// State is the file that says where an interrupted replay is to go on, gone when it has ended; "" is Events with ".replay" behind.
	// Restart passes over it.
	State   string
	Restart bool
	// Rate bounds the rows sent; 0 is as fast as the door takes them.
	Rate Rate
	// Progress is told how far it is, after each lot.
	Progress func(Progress)
	// Accepted gets the events that are durable, "source<TAB>id" a line, as verify reads them; nil for none.
	Accepted io.Writer
	// Refused is a file that gets each refused row as a line of JSON; "" for none.
	Refused string
	// Patience is how long one batch is tried; 0 means five minutes.
	Patience time.Duration
}

// Progress is how far a replay is.
type Progress struct {
	// Done of Size bytes of the file.
	Done, Size int64
	// Rows and Refused so far, those of earlier runs included.
	Rows, Refused int
	// PerSecond is how many rows this run does.
	PerSecond float64
	// Left is the time that the rest takes at that rate; 0 at first, when nobody can tell.
	Left time.Duration
}

// Run replays a file. It returns an error when it could not go on to the end, ErrInterrupted when ctx ended; the report says what was
// done until then. Running it again goes on from there, and repeats nothing, because every event keeps its id.
func Run(ctx context.Context, o Options) (Report, error) {
	f, err := os.Open(o.Events)
	if err != nil {
		return newReport(), fmt.Errorf("open the events: %w", err)
	}
	defer f.Close() // only read
	r, err := newRunner(ctx, o, f)
	if err != nil {
		return newReport(), err
	}
	defer r.close()
	if err = r.run(ctx); err != nil && ctx.Err() != nil {
		err = ErrInterrupted
	}
	return r.state.Report, errors.Join(err, r.finish(err == nil))
}

// newRunner finds everything that is wrong before a row is read.
func newRunner(ctx context.Context, o Options, f *os.File) (*runner, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open the events: %w", err)
	}
	if o.State == "" {
		o.State = o.Events + ".replay"
	}
	r := &runner{
		o: o, file: f, size: info.Size(), began: time.Now(), pace: pacer{rate: o.Rate}, done: map[int]*lot{},
		window: make(chan struct{}, window), state: state{Report: newReport()},
	}
	host := ""
	if o.Rehearse != nil {
		r.door, err = o.Rehearse.door()
	} else {
		host, err = r.prepare()
	}
	if err == nil {
		r.rows, err = newRows(o.Events, f, r.state.Offset)
	}
	if err == nil {
		err = o.Mapping.fit(r.rows.columns())
	}
	if err == nil && host != "" {
		err = knock(ctx, host)
	}
	if err == nil && o.Refused != "" {
		r.refused, r.state.Written, err = refusedFile(o.Refused, r.state.Written)
	}
	if err != nil {
		r.close()
		return nil, err
	}
	r.startOffset, r.startRows = r.rows.offset(), r.state.Report.Rows
	return r, nil
}

// prepare makes ready to send, from where an interrupted replay stopped, and returns where to.
func (r *runner) prepare() (host string, err error) {
	verify, ref, err := r.o.Mapping.proof()
	if err != nil {
		return "", err
	}
	secret, err := r.o.Secret(ref)
	if err != nil {
		return "", err
	}
	source, host, err := Hook(r.o.To)
	if err != nil {
		return "", err
	}
	r.state = begun(source, r.o.Mapping.hash)
	if !r.o.Restart {
		if err := r.state.resume(r.o.State, r.file); err != nil {
			return "", err
		}
	}
	patience := r.o.Patience
	if patience == 0 {
		patience = 5 * time.Minute
	}
	s := sender.New(r.o.To, verify, secret, patience)
	r.door, r.hangUp = s, s.Close
	return host, nil
}

// Hook returns the source that the address of a hook names, and the host and port that it is at.
func Hook(to string) (source, host string, err error) {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", "", fmt.Errorf("%q is no address of a hook: give http://host:port/v1/hooks/NAME", to)
	}
	source, found := strings.CutPrefix(u.Path, "/v1/hooks/")
	if !found || source == "" || strings.Contains(source, "/") {
		return "", "", fmt.Errorf("%q names no source: give http://host:port/v1/hooks/NAME", to)
	}
	if u.Port() == "" {
		return source, net.JoinHostPort(u.Hostname(), u.Scheme), nil
	}
	return source, u.Host, nil
}

// knock says at once when nobody listens: a wrong address would look like a long wait otherwise.
func knock(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return fmt.Errorf("nobody answers at %s: is leadpact serve running there? %w", host, err)
	}
	return conn.Close()
}

// refusedFile opens the file of refused rows where written bytes end: what was written of rows that are not done is written again
// with them.
func refusedFile(path string, written int64) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("open the file of refused rows: %w", err)
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err == nil && end > written {
		if err = f.Truncate(written); err == nil {
			end, err = f.Seek(written, io.SeekStart)
		}
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open the file of refused rows: %w", err), f.Close())
	}
	return f, end, nil
}

// whole says whether a status is about the request, not about single events in it.
func whole(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge
}
