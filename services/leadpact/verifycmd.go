package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/leadpact/leadpact/services/leadpact/app"
	"github.com/leadpact/leadpact/services/leadpact/verify"
)

type verifyCommand struct {
	Accepted  string        `help:"Events that were answered 202, source<TAB>id a line." type:"existingfile"`
	Data      string        `help:"Folder of the embedded way." default:"data" env:"LEADPACT_DATA"`
	Database  string        `help:"PostgreSQL, in production." env:"LEADPACT_DATABASE"`
	HTTP      []string      `name:"http" help:"HTTP addresses of the running processes; embedded they are found in the data folder." env:"LEADPACT_HTTP"`
	Patience  time.Duration `help:"How long to wait for lag to end and for stores to agree." default:"30s"`
	StateHash bool          `help:"Print the hash of all leads' state too."`
}

// Run prints a line for each promise; it fails when one is broken.
func (c *verifyCommand) Run(ctx context.Context) error {
	doors := c.HTTP
	if len(doors) == 0 && c.Database == "" {
		a, err := readAddresses(ctx, c.Data)
		if err != nil {
			return err
		}
		doors = []string{a.HTTP}
	}
	if len(doors) == 0 {
		return errors.New("--http is missing: the addresses of the running processes, whose lag must end first")
	}
	s, err := app.OpenStores(ctx, c.Data, c.Database, []string{"scoring", "handoff", "compliance"}, app.Look)
	if err != nil {
		return err
	}
	defer s.Close() // only read
	var accepted io.Reader
	if c.Accepted != "" {
		f, err := os.Open(c.Accepted)
		if err != nil {
			return err
		}
		defer f.Close() // only read
		accepted = f
	}
	err = verify.Run(ctx, verify.Options{Stores: s, Accepted: accepted, Doors: doors, Patience: c.Patience, Out: os.Stdout})
	if err != nil && !errors.Is(err, verify.ErrBroken) {
		return err
	}
	if c.StateHash {
		hash, hashErr := verify.StateHash(ctx, s)
		if hashErr != nil {
			return hashErr
		}
		fmt.Println("state", hash)
	}
	if err != nil {
		return failed{1}
	}
	return nil
}
