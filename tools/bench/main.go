// Command bench measures leadpact beside its ceilings in one run: bare programs that do the least with the same libraries, and a
// peer that does the same job.
//
//	make bench             everything, at most thirty minutes; writes bench.json and bench.html
//	make bench ROW=door    one row
//	make bench-quick       every path once, in under two minutes; it says nothing about speed
//
// Ratios are medians of interleaved pairs, for absolute figures differ from one minute to the next on most machines. It talks to
// loopback alone and stops by itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/leadpact/leadpact/tools/bench/row"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == "part" {
		if err := apart(os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench: part "+os.Args[2]+":", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.StringVar(&o.rows, "row", "", "rows to run, by name, with commas between; none given means all")
	flag.BoolVar(&o.quick, "quick", false, "the smallest run that takes every path")
	flag.StringVar(&o.json, "json", "bench.json", "file for the figures")
	flag.StringVar(&o.page, "page", "bench.html", "file for the charts")
	flag.StringVar(&o.leadpact, "leadpact", "bin/leadpact", "the program")
	flag.StringVar(&o.testpg, "testpg", ".bin/testpg", "the program that runs a command beside a PostgreSQL of its own")
	flag.StringVar(&o.server, "database", os.Getenv("LEADPACT_TEST_POSTGRES"), "a PostgreSQL server where databases may be created")
	flag.StringVar(&o.profile, "cpuprofile", "", "file for a CPU profile of the run; that of its last part has .part after the name")
	list := flag.Bool("list", false, "name the rows")
	flag.Parse()
	if *list {
		for _, r := range rows() {
			fmt.Printf("  %-12s %s\n", r.Name, r.What)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	rows, json, page, leadpact, testpg, server, profile string

	quick bool
}

// run runs the rows one after another, never side by side: they share the cores with what they measure already.
func run(ctx context.Context, o options) error {
	chosen, err := choose(rows(), o.rows)
	if err != nil {
		return err
	}
	if o.profile != "" {
		file, err := filepath.Abs(o.profile)
		if err != nil {
			return err
		}
		if err := os.Setenv(profiled, file+".part"); err != nil {
			return err
		}
		stop, err := profile(file)
		if err != nil {
			return err
		}
		defer stop()
	}
	dir, err := os.MkdirTemp("", "leadpact-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left is in the temporary folder
	report := newReport(o.quick)
	screen := newScreen(os.Stderr, len(chosen))
	var failed []error
	for _, r := range chosen {
		screen.begin(r)
		began := time.Now()
		lines, err := one(ctx, r, o, dir, screen)
		if err != nil {
			failed = append(failed, fmt.Errorf("row %s: %w", r.Name, err))
		}
		report.add(r, lines, time.Since(began), err)
		screen.end(err)
		if ctx.Err() != nil {
			break
		}
	}
	screen.close()
	fmt.Print(report.table())
	if err := report.write(o.json, o.page); err != nil {
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// profiled tells a part where its profile goes.
const profiled = "LEADPACT_BENCH_PROFILE"

// apart is main in a process that a row started.
func apart(name string, args []string) error {
	if file := os.Getenv(profiled); file != "" {
		stop, err := profile(file)
		if err != nil {
			return err
		}
		defer stop()
	}
	return part(name, args)
}

// profile writes a CPU profile until it is stopped.
func profile(file string) (stop func(), err error) {
	f, err := os.Create(file) //nolint:gosec // whoever runs the benchmarks names it
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // a profile that is cut says so itself
	}, nil
}

func one(ctx context.Context, r row.Row, o options, dir string, s *screen) ([]row.Line, error) {
	e := &row.Env{
		Quick: o.quick, Server: o.server,
		Plan: s.plan, Done: s.step, Say: s.say,
	}
	if r.Postgres && e.Server == "" {
		return nil, errors.New("it needs PostgreSQL: run it with make bench, or set LEADPACT_TEST_POSTGRES")
	}
	var err error
	if e.Leadpact, err = filepath.Abs(o.leadpact); err != nil { // parts have working folders of their own
		return nil, err
	}
	if e.Testpg, err = filepath.Abs(o.testpg); err != nil {
		return nil, err
	}
	if e.Dir, err = os.MkdirTemp(dir, r.Name+"-"); err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(e.Dir) }() // its parent goes at the end in any case
	return r.Run(ctx, e)
}

func choose(all []row.Row, names string) ([]row.Row, error) {
	if names == "" {
		return all, nil
	}
	var chosen []row.Row
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, r := range all {
			if r.Name == name {
				chosen, found = append(chosen, r), true
			}
		}
		if !found {
			var known []string
			for _, r := range all {
				known = append(known, r.Name)
			}
			return nil, fmt.Errorf("no row is called %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}
