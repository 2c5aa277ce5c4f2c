package demo

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// silent is the rep who never answers.
const silent = "sam"

// rep works leads over gRPC with a token of his own, as a person with an inbox does.
type rep struct {
	id     string
	client leadpactv1.HandoffServiceClient
	note   func(err error)

	mu  sync.Mutex
	rng *rand.Rand
}

func newRep(id string, seed uint64, conn grpc.ClientConnInterface, note func(error)) *rep {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash never fails
	return &rep{id: id, client: leadpactv1.NewHandoffServiceClient(conn), note: note,
		rng: rand.New(rand.NewPCG(seed, h.Sum64()))} //nolint:gosec // a play, not a secret
}

// work takes a lead from the notice to its end, or until it is no longer his.
func (r *rep) work(ctx context.Context, lead string) {
	if r.id == silent {
		return
	}
	first := "first-" + lead
	if !r.pause(ctx, 300, 2500) {
		return
	}
	if r.chance(.08) {
		reason := "wrong-region"
		if r.chance(.5) {
			reason = "not-a-fit"
		}
		r.done(r.client.Reject(ctx, &leadpactv1.RejectRequest{Lead: lead, RequestId: first + "-" + r.id, Reason: reason}))
		return
	}
	if !r.did(func() error {
		_, err := r.client.Accept(ctx, &leadpactv1.AcceptRequest{Lead: lead, RequestId: first + "-" + r.id})
		return err
	}) {
		return
	}
	for try := range 3 {
		if !r.pause(ctx, 500, 2000) || !r.did(func() error {
			_, err := r.client.LogAttempt(ctx, &leadpactv1.LogAttemptRequest{Lead: lead, RequestId: fmt.Sprintf("try-%d-%s-%s", try, lead, r.id)})
			return err
		}) {
			return
		}
		if r.chance(.5) {
			break
		}
	}
	if !r.pause(ctx, 300, 1500) || !r.did(func() error {
		_, err := r.client.MarkReached(ctx, &leadpactv1.MarkReachedRequest{Lead: lead, RequestId: "reached-" + lead + "-" + r.id})
		return err
	}) || !r.pause(ctx, 300, 2500) {
		return
	}
	if r.chance(.3) {
		r.done(r.client.CloseLost(ctx, &leadpactv1.CloseLostRequest{Lead: lead, RequestId: "lost-" + lead + "-" + r.id, Reason: "no budget"}))
		return
	}
	if !r.did(func() error {
		_, err := r.client.Qualify(ctx, &leadpactv1.QualifyRequest{Lead: lead, RequestId: "qualified-" + lead + "-" + r.id})
		return err
	}) || !r.pause(ctx, 500, 3000) {
		return
	}
	if r.chance(.6) {
		r.done(r.client.CloseWon(ctx, &leadpactv1.CloseWonRequest{Lead: lead, RequestId: "won-" + lead + "-" + r.id}))
	}
}

// did runs one action; false when the lead is no longer his.
func (r *rep) did(act func() error) bool { return r.done(nil, act()) }

func (r *rep) done(_ any, err error) bool {
	switch status.Code(err) {
	case codes.OK:
		return true
	case codes.FailedPrecondition, codes.NotFound, codes.Canceled:
		return false // another rep has it, or the play is over
	default:
		r.note(fmt.Errorf("rep %s: %w", r.id, err))
		return false
	}
}

// pause waits between least and most milliseconds.
func (r *rep) pause(ctx context.Context, least, most int) bool {
	r.mu.Lock()
	d := time.Duration(least+r.rng.IntN(most-least)) * time.Millisecond
	r.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (r *rep) chance(p float64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rng.Float64() < p
}
