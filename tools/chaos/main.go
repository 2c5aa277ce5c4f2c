// Command chaos kills leadpact at random moments under load, starts it again, and asks `leadpact verify` whether every promise
// still holds.
//
//	make chaos          one embedded process 25 times, then two of each role over three NATS servers and PostgreSQL 10 times
//
// It talks to loopback alone, ends only what it started, and stops by itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

type options struct {
	binary     string
	nats       string
	kills      int
	seed       uint64
	senders    int
	production bool
	retries    bool
	database   string
	dir        string
}

func main() {
	var o options
	flag.StringVar(&o.binary, "leadpact", "bin/leadpact", "the program to kill")
	flag.StringVar(&o.nats, "nats-server", ".bin/nats-server", "the NATS server of the production way")
	flag.IntVar(&o.kills, "kills", 25, "how often")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "of the random moments; printed")
	flag.IntVar(&o.senders, "senders", 8, "connections that post webhooks")
	flag.BoolVar(&o.production, "production", false, "kill roles of the production way")
	flag.BoolVar(&o.retries, "retries", false, "take NATS away for a minute from three tools that repeat themselves, instead of killing")
	flag.StringVar(&o.database, "database", os.Getenv("LEADPACT_TEST_POSTGRES"), "PostgreSQL of the production way")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// fleet is what is killed.
type fleet interface {
	// start brings everything up and returns the webhook doors, the gRPC doors of handoff, and every HTTP door.
	start(ctx context.Context) (doors, error)
	// kill ends one process of its choice with SIGKILL, starts it again, and returns which and how long it took to be ready.
	kill(ctx context.Context, rng *rand.Rand) (string, time.Duration, error)
	// verify runs the program's own check.
	verify(ctx context.Context, accepted string) error
	stop()
}

type doors struct {
	hooks, handoff []string
	tokens         map[string]string // of reps
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "leadpact-chaos-")
	if err != nil {
		return err
	}
	o.dir = dir
	fmt.Printf("seed %d, folder %s\n", o.seed, dir)
	if err := writeFiles(dir); err != nil {
		return err
	}
	var f fleet
	if o.production || o.retries {
		if o.database == "" {
			return errors.New("give -database, or run under tools/testpg")
		}
		f = &production{o: o}
	} else {
		f = &embedded{o: o}
	}
	defer f.stop()
	d, err := f.start(ctx)
	if err != nil {
		return err
	}
	if o.retries {
		if err := retries(ctx, o, f.(*production), d); err != nil { //nolint:forcetypeassert,errcheck // made above
			return fmt.Errorf("%w (everything is kept in %s)", err, dir)
		}
		f.stop()
		return os.RemoveAll(dir)
	}
	accepted := filepath.Join(dir, "accepted")
	l, err := newLoad(d, accepted)
	if err != nil {
		return err
	}
	running, endLoad := context.WithCancel(ctx)
	defer endLoad()
	done := l.run(running, o.senders)
	rng := rand.New(rand.NewPCG(o.seed, 1)) //nolint:gosec // a load, not a secret
	var slowest time.Duration
	for i := range o.kills {
		wait(ctx, time.Duration(300+rng.IntN(2200))*time.Millisecond)
		who, took, err := f.kill(ctx, rng)
		if err != nil {
			return errors.Join(fmt.Errorf("kill %d: %w", i+1, err))
		}
		slowest = max(slowest, took)
		fmt.Printf("kill %2d  %-14s ready again after %-8s accepted so far %d\n", i+1, who, took.Round(time.Millisecond), l.count())
	}
	wait(ctx, 2*time.Second)
	endLoad()
	<-done
	fmt.Printf("load over: %d accepted, %d sent again after an unknown outcome, %d rep actions; slowest restart %s\n",
		l.count(), l.again.Load(), l.acted.Load(), slowest.Round(time.Millisecond))
	if err := f.verify(ctx, accepted); err != nil {
		return fmt.Errorf("%w (everything is kept in %s)", err, dir)
	}
	fmt.Println("every promise holds")
	f.stop()
	return os.RemoveAll(dir)
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
