package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/leadpact/leadpact/internal/identity"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/tools/bench/row"
)

// start measures the first run, five times, and takes the median.
func start(ctx context.Context, e *row.Env) ([]row.Line, error) {
	times := row.Of(e, 5, 1)
	e.Plan(times)
	var all []float64
	for range times {
		took, err := firstRun(ctx, e)
		if err != nil {
			return nil, err
		}
		all = append(all, took.Seconds())
		e.Step()
	}
	l := row.Alone("first run: start to first assigned lead", row.Figure{Value: row.Median(all), Unit: "s"}, row.AtMost(3, "s")).Within(all)
	l.Note = fmt.Sprintf("Median of %d, each on an empty folder (%.2f to %.2f s). From the start of the process to the lead in the rep's inbox over gRPC; the webhook is tried every 5 ms until the door takes it.",
		times, row.Quantile(all, 0), row.Quantile(all, 1))
	return []row.Line{l}, nil
}

func firstRun(ctx context.Context, e *row.Env) (took time.Duration, err error) {
	p, remove, err := prepare(e, "first")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.stop(), remove()) }()
	tokens := map[string]string{}
	for _, rep := range []string{"ana", "bo", "eva", "ida", "kai", "lea"} {
		if tokens[rep], err = p.token(ctx, rep); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	if err := p.begin(ctx); err != nil {
		return 0, err
	}
	if err := p.addresses(ctx); err != nil {
		return 0, err
	}
	f := p.form(1)
	defer f.close()
	if err := p.taken(ctx, f, person(1)); err != nil {
		return 0, err
	}
	conn, err := grpc.NewClient(p.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, err
	}
	defer conn.Close() // all answers are in
	inbox := leadpactv1.NewHandoffServiceClient(conn)
	err = p.until(ctx, 2*time.Millisecond, "an assignment", func() (bool, error) {
		for _, token := range tokens { // nobody knows beforehand whose turn it is
			resp, err := inbox.ListInbox(ctx, &leadpactv1.ListInboxRequest{}, grpc.PerRPCCredentials(identity.Bearer(token)))
			if err != nil || len(resp.GetAssignments()) > 0 {
				return err == nil, err
			}
		}
		return false, nil
	})
	return time.Since(began), err
}
