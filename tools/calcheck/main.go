// Command calcheck holds the calendar against files of cases and of changes of
// offset that others wrote. It prints a line for each answer that differs and a
// summary, and ends with 1 when there was any.
//
//	calcheck --cases cases.json --transitions transitions.csv
//
// The cases are JSON: {"cases": [{id, kind, tz, calendar, start, end, amount,
// pauses, expected, recheck_value, convention_conflict}]}. `expected` must hold,
// or `recheck_value` where the file marks a conflict of conventions. The
// transitions are CSV with a header: zone, utc_instant, offset_before,
// offset_after, kind (gap or overlap), minutes, local_before, local_after.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// failure is one answer that differs from what a file says.
type failure struct{ id, says string }

func main() {
	cases := flag.String("cases", "", "JSON `file` of cases")
	transitions := flag.String("transitions", "", "CSV `file` of changes of offset")
	flag.Parse()
	switch err := run(os.Stdout, *cases, *transitions); {
	case errors.Is(err, errDiffers):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "calcheck:", err)
		os.Exit(2)
	}
}

var errDiffers = errors.New("the calendar differs")

func run(out io.Writer, cases, transitions string) error {
	if cases == "" || transitions == "" {
		return errors.New("name both files: --cases FILE --transitions FILE")
	}
	ran, differ, err := checkCases(cases)
	if err != nil {
		return err
	}
	moved, fails, err := checkTransitions(transitions)
	if err != nil {
		return err
	}
	bad := map[string]bool{}
	for _, f := range differ {
		fmt.Fprintf(out, "case %s: %s\n", f.id, f.says)
		bad[f.id] = true
	}
	good := ran - len(bad)
	bad = map[string]bool{}
	for _, f := range fails {
		fmt.Fprintf(out, "transition %s: %s\n", f.id, f.says)
		bad[f.id] = true
	}
	fmt.Fprintf(out, "cases %d/%d, transitions %d/%d\n", good, ran, moved-len(bad), moved)
	if len(differ)+len(fails) > 0 {
		return errDiffers
	}
	return nil
}
