package pipeline

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/leadpact/leadpact/tools/bench/child"
	"github.com/leadpact/leadpact/tools/bench/row"
	"github.com/leadpact/leadpact/tools/bench/work"
)

// slow is what a user's disk takes longer for an fsync than the best.
const slow = 2 * time.Millisecond

// Part is the process that the disk row measures: it fills the log, says so, waits for a word, takes the leads through, and says how
// many a second that were.
func Part(engine string, count int, share float64) error {
	ctx := context.Background()
	e := &row.Env{Dir: ".", Server: os.Getenv("LEADPACT_TEST_POSTGRES"), Plan: func(int) {}, Done: func() {}}
	r, err := open(ctx, e, engine, work.Ordinary(), false)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // what matters is said before
	if err := r.fill(ctx, 0, count, share); err != nil {
		return err
	}
	fmt.Println("filled")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	perSecond, err := r.measure(ctx, 0, count, share, nil)
	if err != nil {
		return err
	}
	fmt.Println(perSecond)
	child.Wait()
	return nil
}

func disk(ctx context.Context, e *row.Env) ([]row.Line, error) {
	n := row.Of(e, 3, 1)
	e.Plan(4 * n)
	var lines []row.Line
	for _, engine := range []string{Postgres, SQLite} {
		var calls []float64
		pairs, err := row.Pairs(ctx, e, n,
			func(ctx context.Context) (float64, error) {
				perSecond, _, err := apart(ctx, e, engine, child.Disk{Count: true, Delay: slow})
				return perSecond, err
			},
			func(ctx context.Context) (float64, error) {
				perSecond, each, err := apart(ctx, e, engine, child.Disk{Count: true})
				calls = append(calls, each)
				return perSecond, err
			})
		if err != nil {
			return lines, fmt.Errorf("%s: %w", engine, err)
		}
		each := row.Alone(engine+": fsyncs a lead through scoring and handoff, all handed off", row.Figure{Value: row.Median(calls)}, row.AtMost(0.02, "")).Within(calls)
		each.Note = "fsync, fdatasync and O_SYNC writes of the event log, of both stores and of PostgreSQL, counted by strace"
		lines = append(lines, each, row.Against(engine+": the same with 2 ms added to each, over without", "/s", pairs, row.AtLeast(0.6, "×")))
	}
	return lines, nil
}

// apart runs the pipeline in a process of its own, PostgreSQL included, and returns leads a second and calls a lead.
func apart(ctx context.Context, e *row.Env, engine string, d child.Disk) (perSecond, each float64, err error) {
	dir, remove, err := e.Folder("disk")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	// PostgreSQL works as another user, who must be able to come to its folder.
	if err := passable(dir, e.Dir); err != nil {
		return 0, 0, err
	}
	var before []string
	if engine == Postgres {
		before = []string{e.Testpg, "-data", dir, "--"}
	}
	count := row.Of(e, 20_000, 400)
	p, err := child.Start(ctx, dir, d, before, "pipeline", engine, strconv.Itoa(count), "1")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	if _, err := p.Line(); err != nil {
		return 0, 0, err
	}
	from, err := p.Durable()
	if err != nil {
		return 0, 0, err
	}
	if err := p.Say("go"); err != nil {
		return 0, 0, err
	}
	line, err := p.Line()
	if err != nil {
		return 0, 0, err
	}
	to, err := p.Durable()
	if err != nil {
		return 0, 0, err
	}
	perSecond, err = strconv.ParseFloat(line, 64)
	return perSecond, float64(to-from) / float64(count), err
}

// passable lets other users pass through folders.
func passable(dirs ...string) error {
	for _, d := range dirs {
		if err := os.Chmod(d, 0o711); err != nil {
			return err
		}
	}
	return nil
}
