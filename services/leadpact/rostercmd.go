package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"

	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

type rosterCommand struct {
	caller
	File    string `arg:"" optional:"" help:"Roster that applies from now on; the history is shown unless given." type:"existingfile"`
	Version int64  `help:"Number of a roster in the history, to print its text."`
}

// Run changes the roster, or shows those that applied, newest first.
func (c *rosterCommand) Run(ctx context.Context) error {
	if c.File != "" && c.Version != 0 {
		return errors.New("give a file, or --version, not both")
	}
	var text []byte
	if c.File != "" {
		var err error
		if text, err = os.ReadFile(c.File); err != nil {
			return err
		}
	}
	return c.call(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		client := leadpactv1.NewHandoffServiceClient(conn)
		switch {
		case c.File != "":
			resp, err := client.SetRoster(ctx, &leadpactv1.SetRosterRequest{Text: text})
			if err != nil {
				return err
			}
			for _, w := range resp.GetWarnings() {
				fmt.Printf("warning, for a version that is scheduled: %s\n", w)
			}
			tellRoster(resp.GetRoster())
		case c.Version != 0:
			resp, err := client.GetRoster(ctx, &leadpactv1.GetRosterRequest{Version: c.Version})
			if err == nil {
				_, err = os.Stdout.Write(resp.GetRoster().GetText())
			}
			return err
		default:
			resp, err := client.ListRosters(ctx, &leadpactv1.ListRostersRequest{})
			if err != nil {
				return err
			}
			for _, r := range resp.GetRosters() {
				tellRoster(r)
			}
		}
		return nil
	})
}

func tellRoster(r *leadpactv1.Roster) {
	fmt.Printf("roster %d applies from %s; changed by %s, hash %s\n", r.GetVersion(), r.GetAt().AsTime().Format(time.RFC3339), r.GetActor(), r.GetHash())
}
