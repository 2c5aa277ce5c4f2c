package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/identity"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/leadpact/app"
)

// caller is how a command asks a running process.
type caller struct {
	GRPC  string `name:"grpc" help:"Address of a process with the role that answers: compliance for versions, handoff for the roster, scoring for leads, each for its quarantine." default:"127.0.0.1:9090" env:"LEADPACT_GRPC"`
	Token string `help:"Reference (env:NAME, file:PATH) to your token." default:"env:LEADPACT_TOKEN"`
}

// call asks, for a quarter of a minute at most; an answer that refuses is an error in the answer's words.
func (c caller) call(ctx context.Context, ask func(ctx context.Context, conn *grpc.ClientConn) error) error {
	token, err := app.Secret(c.Token)
	if err != nil {
		return fmt.Errorf("%w; say --token file:PATH: a first start without tokens makes data/admin.token, leadpact token makes others", err)
	}
	conn, err := grpc.NewClient(c.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(identity.Bearer(token)))
	if err != nil {
		return fmt.Errorf("reach %s: %w", c.GRPC, err)
	}
	defer conn.Close() // nothing is left to send
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := ask(ctx, conn); err != nil {
		return errors.New(status.Convert(err).Message())
	}
	return nil
}

type activateCommand struct {
	caller
	File       string `arg:"" help:"Agreement." type:"existingfile"`
	Signatures string `help:"File of signatures; FILE.sig unless given." type:"existingfile" placeholder:"FILE.sig"`
	At         string `help:"When it comes into force (2026-12-01T00:00:00+01:00); as soon as every service can know of it unless given." placeholder:"TIME"`
}

// Run activates over gRPC.
func (c *activateCommand) Run(ctx context.Context) error {
	a, err := readAgreement(c.File)
	if err != nil {
		return err
	}
	req := &leadpactv1.ActivateRequest{Text: a.Text}
	beside := c.Signatures
	if beside == "" {
		beside = c.File + agreement.SealSuffix
	}
	// Where there are none, the answer says what is needed.
	if req.Signatures, err = os.ReadFile(beside); err != nil && (c.Signatures != "" || !errors.Is(err, os.ErrNotExist)) {
		return err
	}
	if c.At != "" {
		at, err := time.Parse(time.RFC3339, c.At)
		if err != nil {
			return fmt.Errorf("--at %s: write a time with its zone, as 2026-12-01T00:00:00+01:00", c.At)
		}
		req.ActiveFrom = timestamppb.New(at)
	}
	return c.call(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := leadpactv1.NewAgreementServiceClient(conn).Activate(ctx, req)
		if err != nil {
			return err
		}
		v := resp.GetVersion()
		fmt.Printf("%s (%s) %s %s\n%s\n", v.GetTitle(), v.GetHash(), standing(v), v.GetActiveFrom().AsTime().Format(time.RFC3339), underWay(a))
		return nil
	})
}

// underWay is what becomes of the clocks that run when a version comes into force.
func underWay(a *agreement.Agreement) string {
	if a.UnderWay == agreement.Move {
		return "clocks that run then move to it: each is computed anew from its own start, but one that would have been due by then stays as it is"
	}
	return "clocks that run then stay under their versions"
}

// standing is what a version's time means.
func standing(v *leadpactv1.Version) string {
	switch {
	case v.GetInForce():
		return "is in force since"
	case v.GetActiveFrom().AsTime().After(time.Now()):
		return "comes into force at"
	}
	return "was in force from"
}

type versionsCommand struct {
	caller
	Hash string `arg:"" optional:"" help:"Hash of a version, to print its text."`
}

// Run lists the versions, newest first, or prints the text of one.
func (c *versionsCommand) Run(ctx context.Context) error {
	return c.call(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		client := leadpactv1.NewAgreementServiceClient(conn)
		if c.Hash != "" {
			resp, err := client.GetVersion(ctx, &leadpactv1.GetVersionRequest{Hash: c.Hash})
			if err == nil {
				_, err = os.Stdout.Write(resp.GetVersion().GetText())
			}
			return err
		}
		resp, err := client.ListVersions(ctx, &leadpactv1.ListVersionsRequest{})
		if err != nil {
			return err
		}
		for _, v := range resp.GetVersions() {
			fmt.Printf("%s  %s, version %s\n    %s %s; activated by %s, %s\n", v.GetHash(), v.GetTitle(), v.GetVersion(),
				standing(v), v.GetActiveFrom().AsTime().Format(time.RFC3339), v.GetActor(), signers(v))
		}
		if len(resp.GetVersions()) == 0 {
			fmt.Println("no version was activated yet")
		}
		return nil
	})
}

func signers(v *leadpactv1.Version) string {
	var out []string
	for _, g := range v.GetSignatures() {
		out = append(out, g.GetName()+" for "+g.GetSide())
	}
	if len(out) == 0 {
		return "unsigned"
	}
	return "signed by " + strings.Join(out, " and ")
}

type acknowledgeCommand struct {
	caller
	Hash string `arg:"" optional:"" help:"Hash of the version; the one in force unless given."`
}

// Run acknowledges as the token's person.
func (c *acknowledgeCommand) Run(ctx context.Context) error {
	return c.call(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := leadpactv1.NewAgreementServiceClient(conn).Acknowledge(ctx, &leadpactv1.AcknowledgeRequest{Hash: c.Hash})
		if err == nil {
			fmt.Printf("%s acknowledged at %s\n", resp.GetHash(), resp.GetAt().AsTime().Format(time.RFC3339))
		}
		return err
	})
}

type coverageCommand struct {
	caller
	Hash string `arg:"" optional:"" help:"Hash of the version; the one in force unless given."`
}

// Run says who has acknowledged and who has not.
func (c *coverageCommand) Run(ctx context.Context) error {
	return c.call(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := leadpactv1.NewAgreementServiceClient(conn).GetCoverage(ctx, &leadpactv1.GetCoverageRequest{Hash: c.Hash})
		if err != nil {
			return err
		}
		has, missing := resp.GetAcknowledged(), resp.GetMissing()
		fmt.Printf("%s: %.0f %% of the roster, %d of %d\n", resp.GetHash(), 100*resp.GetShare(), len(has), len(has)+len(missing))
		for _, a := range has {
			fmt.Printf("  %s  %s\n", a.GetAt().AsTime().Format(time.RFC3339), a.GetPerson())
		}
		for _, p := range missing {
			fmt.Printf("  %-20s  %s\n", "not yet", p)
		}
		for _, a := range resp.GetOthers() {
			fmt.Printf("  %s  %s, who is not in the roster\n", a.GetAt().AsTime().Format(time.RFC3339), a.GetPerson())
		}
		return nil
	})
}
