// Package door measures the webhook door, from a signed request to its 202, against a bare HTTP door with the same proof and the
// same decoding that keeps nothing.
package door

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/leadpact/leadpact/tools/bench/child"
	"github.com/leadpact/leadpact/tools/bench/row"
)

const (
	warm        = 500 * time.Millisecond
	connections = 64
	many        = 256
	slow        = 2 * time.Millisecond
)

// Rows are the door's.
func Rows() []row.Row {
	return []row.Row{
		{Name: "door", What: "signed webhook to 202, over a bare HTTP door with HMAC and decoding", Run: against},
		{Name: "door-slow-disk", What: "the same with 2 ms added to every fsync, over the same without", Run: slowDisk},
	}
}

// Part is the process that a row measures: it serves until it is asked to end.
func Part(kind string) error {
	ctx := context.Background()
	open := ours
	if kind == "bare" {
		open = bare
	}
	h, stop, err := open(ctx, ".")
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// The limits of the product's door, for both.
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 20 * time.Second,
		IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	fmt.Println(l.Addr())
	child.Wait()
	err = srv.Close()
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, stop())
}

// load is what one run of a door gave.
type load struct {
	perSecond float64
	cpu       time.Duration // of the door's process, for each request
	latencies []float64     // ms, a sample
	durable   float64       // calls that make bytes durable, for each request
}

func against(ctx context.Context, e *row.Env) ([]row.Line, error) {
	n := row.Of(e, 7, 1)
	e.Plan(2 * n)
	var added, p99 []float64
	var last load
	pairs, err := row.Pairs(ctx, e, n,
		func(ctx context.Context) (float64, error) {
			var err error
			last, err = measure(ctx, e, "ours", connections, child.Disk{})
			return last.perSecond, err
		},
		func(ctx context.Context) (float64, error) {
			l, err := measure(ctx, e, "bare", connections, child.Disk{})
			added = append(added, float64((last.cpu-l.cpu).Nanoseconds())/1e3)
			p99 = append(p99, row.Quantile(last.latencies, 0.99))
			return l.perSecond, err
		})
	if err != nil {
		return nil, err
	}
	cpu := row.Alone("CPU added to a request over the bare door", row.Figure{Value: row.Median(added), Unit: "µs"}, row.AtMost(15, "µs")).Within(added)
	cpu.Note = "processor time of the door's process, ours less the bare door's, divided by the requests; median of the pairs"
	return []row.Line{
		row.Against("signed webhook to 202, 64 connections", "/s", pairs, row.AtLeast(0.60, "×")),
		cpu,
		row.Alone("signed webhook to 202, 64 connections, p99", row.Figure{Value: row.Median(p99), Unit: "ms"}, nil),
	}, nil
}

func slowDisk(ctx context.Context, e *row.Env) ([]row.Line, error) {
	n := row.Of(e, 5, 1)
	e.Plan(2 * n)
	var syncs []float64
	pairs, err := row.Pairs(ctx, e, n,
		func(ctx context.Context) (float64, error) {
			l, err := measure(ctx, e, "ours", many, child.Disk{Count: true, Delay: slow})
			syncs = append(syncs, l.durable)
			return l.perSecond, err
		},
		func(ctx context.Context) (float64, error) {
			l, err := measure(ctx, e, "ours", many, child.Disk{Count: true})
			return l.perSecond, err
		})
	if err != nil {
		return nil, err
	}
	line := row.Against("signed webhook to 202, 256 connections, 2 ms added to every fsync, over the same without", "/s", pairs, row.AtLeast(0.5, "×"))
	line.Note = "both sides under strace, which counts the calls and adds the delay after each fsync, fdatasync and O_SYNC write"
	return []row.Line{line, row.Alone("fsyncs a request, slow disk", row.Figure{Value: row.Median(syncs)}, nil)}, nil
}

// measure runs one door apart and posts to it.
func measure(ctx context.Context, e *row.Env, kind string, connections int, disk child.Disk) (_ load, err error) {
	dir, remove, err := e.Folder(kind)
	if err != nil {
		return load{}, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	p, err := child.Start(ctx, dir, disk, nil, "door", kind)
	if err != nil {
		return load{}, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	addr, err := p.Line()
	if err != nil {
		return load{}, err
	}
	s, err := newSender(ctx, addr, connections)
	if err != nil {
		return load{}, err
	}
	defer s.close()
	if _, err := s.post(ctx, warm); err != nil {
		return load{}, err
	}
	traced := disk.Count || disk.Delay > 0
	var cpu time.Duration
	var calls int
	if traced {
		calls, err = p.Durable()
	} else {
		cpu, err = p.CPU()
	}
	if err != nil {
		return load{}, err
	}
	began := time.Now()
	sent, err := s.post(ctx, row.Of(e, 3*time.Second, 300*time.Millisecond))
	if err != nil {
		return load{}, err
	}
	l := load{perSecond: float64(sent) / time.Since(began).Seconds(), latencies: s.sample()}
	if traced {
		after, err := p.Durable()
		l.durable = float64(after-calls) / float64(sent)
		return l, err
	}
	after, err := p.CPU()
	l.cpu = (after - cpu) / time.Duration(sent)
	return l, err
}
