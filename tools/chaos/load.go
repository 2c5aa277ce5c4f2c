package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/preset"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/leadpact/sender"
)

// load posts webhooks and plays reps while processes die. What was answered 202 is written down before anything else is sent.
type load struct {
	d        doors
	senders  []*sender.Sender
	accepted *os.File

	mu sync.Mutex
	n  int

	ids, again, acted atomic.Int64
}

func newLoad(d doors, path string) (*load, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	l := &load{d: d, accepted: f}
	for _, door := range d.hooks {
		l.senders = append(l.senders, sender.New("http://"+door+"/v1/hooks/website",
			preset.Proof{Kind: preset.HMAC, Header: "X-Signature", Prefix: "sha256="}, websiteSecret, time.Minute))
	}
	return l, nil
}

// run sends until ctx ends; the channel closes when the last request is answered.
func (l *load) run(ctx context.Context, senders int) <-chan struct{} {
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() { l.send(ctx, l.senders[i%len(l.senders)]) })
	}
	for i, rep := range answering {
		wg.Go(func() { l.play(ctx, rep, l.d.handoff[i%len(l.d.handoff)]) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		wg.Wait()
		_ = l.accepted.Sync() // the disk is not what is tried here
	}()
	return done
}

func (l *load) send(ctx context.Context, s *sender.Sender) {
	for ctx.Err() == nil {
		body, err := l.batch()
		if err != nil {
			fmt.Fprintln(os.Stderr, "chaos: write a body:", err)
			return
		}
		// The request in hand is finished after the load has ended: a real sender would come back too.
		answer, err := s.Post(context.WithoutCancel(ctx), "", body)
		if err != nil {
			fmt.Fprintln(os.Stderr, "chaos: a sender gave up:", err)
			return
		}
		if answer.Tries > 1 {
			l.again.Add(1)
		}
		l.keep(answer.IDs)
		wait(ctx, time.Duration(5+l.chance(20))*time.Millisecond)
	}
}

// batch is one to four touches of two or three people; one event in ten is one that was sent before.
func (l *load) batch() ([]byte, error) {
	var events []map[string]any
	for range 1 + l.chance(4) {
		n := l.ids.Add(1)
		if n > 20 && l.chance(10) == 0 {
			n -= int64(l.chance(20))
		}
		// All of an event follows from its number, so that a repeat says the same.
		rng := rand.New(rand.NewPCG(uint64(n), 7)) //nolint:gosec // a load, not a secret
		kind := "page_viewed"
		if rng.IntN(3) == 0 {
			kind = "form_submitted"
		}
		events = append(events, map[string]any{
			"id": fmt.Sprintf("e-%d", n), "type": kind, "email": fmt.Sprintf("p%d@example.com", n/3),
			"fields": map[string]any{"hand_raiser": rng.IntN(12) == 0, "employees": rng.IntN(500)},
		})
	}
	return json.Marshal(events)
}

func (l *load) keep(ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		if _, err := fmt.Fprintf(l.accepted, "website\t%s\n", id); err != nil {
			fmt.Fprintln(os.Stderr, "chaos: an accepted id was not written down:", err)
		}
	}
	l.n += len(ids)
}

// chance is a number from 0 up to below n.
func (l *load) chance(n int) int { return rand.IntN(n) } //nolint:gosec // a load, not a secret

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// play answers a rep's inbox; what fails while a process is down is tried again with the next look.
func (l *load) play(ctx context.Context, rep, door string) {
	conn, err := grpc.NewClient(door, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(identity.Bearer(l.d.tokens[rep])))
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos: reach handoff:", err)
		return
	}
	defer conn.Close()
	client := leadpactv1.NewHandoffServiceClient(conn)
	for ctx.Err() == nil {
		l.look(ctx, client)
		wait(ctx, 200*time.Millisecond)
	}
}

func (l *load) look(ctx context.Context, client leadpactv1.HandoffServiceClient) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	inbox, err := client.ListInbox(ctx, &leadpactv1.ListInboxRequest{Limit: 30})
	if err != nil {
		return
	}
	for _, a := range inbox.GetAssignments() {
		id := a.GetId()
		switch p := l.chance(10); {
		case a.GetAcceptedAt() == nil && p < 7:
			_, err = client.Accept(ctx, &leadpactv1.AcceptRequest{Lead: a.GetLead(), RequestId: "accept-" + id})
		case a.GetAcceptedAt() == nil && p == 7:
			_, err = client.Reject(ctx, &leadpactv1.RejectRequest{Lead: a.GetLead(), RequestId: "reject-" + id, Reason: "not-a-fit"})
		case a.GetAcceptedAt() != nil && p < 4:
			_, err = client.CloseWon(ctx, &leadpactv1.CloseWonRequest{Lead: a.GetLead(), RequestId: "won-" + id})
		case a.GetAcceptedAt() != nil:
			_, err = client.CloseLost(ctx, &leadpactv1.CloseLostRequest{Lead: a.GetLead(), RequestId: "lost-" + id, Reason: "no budget"})
		default:
			continue
		}
		if err == nil {
			l.acted.Add(1)
		}
	}
}
