package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/leadpact/leadpact/tools/bench/clocks"
	"github.com/leadpact/leadpact/tools/bench/door"
	"github.com/leadpact/leadpact/tools/bench/pipeline"
	"github.com/leadpact/leadpact/tools/bench/process"
	"github.com/leadpact/leadpact/tools/bench/row"
	"github.com/leadpact/leadpact/tools/bench/upsert"
)

// rows are all, in the order of the table.
func rows() []row.Row {
	return slices.Concat(process.Rows(), door.Rows(), upsert.Rows(), pipeline.Rows(), clocks.Rows())
}

// part runs a process that a row started from this same program: what is measured runs apart from what measures.
func part(name string, args []string) error {
	switch {
	case name == "door" && len(args) == 1:
		return door.Part(args[0])
	case name == "pipeline" && len(args) == 3:
		count, err1 := strconv.Atoi(args[1])
		share, err2 := strconv.ParseFloat(args[2], 64)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		return pipeline.Part(args[0], count, share)
	}
	return fmt.Errorf("no part is called %q with %d arguments", name, len(args))
}
