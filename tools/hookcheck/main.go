// Command hookcheck holds the readers of webhooks against what others recorded: every signature vector, and every body of a real tool,
// through the presets as an agreement has them. It prints a line each, and ends with 1 when one is not as it should be.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	shared := flag.String("shared", "", "folder that holds data/signatures/vectors.json and data/webhooks")
	flag.Parse()
	if err := run(*shared); err != nil {
		fmt.Fprintln(os.Stderr, "hookcheck:", err)
		os.Exit(1)
	}
}

func run(shared string) error {
	if shared == "" {
		return errors.New("-shared is missing: name the folder")
	}
	wrong, err := checkVectors(filepath.Join(shared, "data", "signatures", "vectors.json"))
	if err != nil {
		return err
	}
	fmt.Println()
	more, err := checkBodies(filepath.Join(shared, "data", "webhooks"))
	if err != nil {
		return err
	}
	if wrong += more; wrong > 0 {
		return fmt.Errorf("%d are not as they should be", wrong)
	}
	return nil
}
