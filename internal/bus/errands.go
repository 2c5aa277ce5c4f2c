package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// LaterError says that an errand failed and is to be tried again after a pause.
type LaterError struct {
	After time.Duration
	error
}

// TryLater wraps err.
func TryLater(after time.Duration, err error) error { return LaterError{after, err} }

func (l LaterError) Unwrap() error { return l.error }

// PublishErrand returns nil after an errand of a source is stored durably. Errors and repeats are as with Publish; ErrFull is for the
// one source of which too much waits.
func (b *Bus) PublishErrand(ctx context.Context, source string, data []byte, id string) error {
	switch {
	case source == "" || strings.ContainsAny(source, ".*> \t\r\n"):
		return fmt.Errorf("bus: publish an errand: %q is no name of a source", source)
	case !b.declared.Load():
		return fmt.Errorf("%w: its streams and consumers are not declared yet", ErrUnavailable)
	}
	err := b.publishCut(ctx, errandStream, errandSubject(source), data, id)
	if errors.Is(err, ErrFull) {
		return fmt.Errorf("what waits to be fetched for %s must become less: see that its sender takes the token under fetch: %w", source, err)
	}
	return err
}

// Errands hands each errand to run, many at a time and in no order, until ctx ends. It is done with when run returns nil; with LaterError it
// comes again after that pause, with any other error at once; while it waits, others go on. Of several replicas each is sent a part. tries
// counts from 1 how often an errand was handed out, to anyone. After Close it returns ErrClosed; NATS away passes inside.
func (b *Bus) Errands(ctx context.Context, run func(ctx context.Context, data []byte, tries int) error) error {
	if err := b.enter(); err != nil {
		return err
	}
	defer b.running.Done()
	working, cancel := b.until(ctx)
	defer cancel()
	(&errands{bus: b, run: run}).attend(working)
	if ctx.Err() == nil {
		return ErrClosed
	}
	return nil
}

// errands are this replica's part.
type errands struct {
	bus *Bus
	run func(context.Context, []byte, int) error
}

// attend subscribes again and again until ctx ends.
func (e *errands) attend(ctx context.Context) {
	var wait backoff
	for ctx.Err() == nil {
		began := time.Now()
		err := e.subscribe(ctx)
		if ctx.Err() != nil {
			return
		}
		e.bus.log.Warn("errands are let go and taken again soon", "error", err)
		if time.Since(began) > longestPause {
			wait = backoff{}
		}
		pause(ctx, wait.next())
	}
}

// subscribe works until ctx ends or the subscription breaks, and returns when no errand is under way.
func (e *errands) subscribe(ctx context.Context) error {
	ask, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	cons, err := e.bus.js.Consumer(ask, errandStream, ErrandConsumer)
	if err != nil {
		return err
	}
	var underway sync.WaitGroup
	defer underway.Wait()
	cc, err := cons.Consume(func(msg jetstream.Msg) {
		underway.Go(func() { e.one(ctx, msg) })
	}, jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullExpiry/2), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
		e.bus.log.Debug("subscription", "error", err)
	}))
	if err != nil {
		return err
	}
	closed := cc.Closed()
	select {
	case <-ctx.Done():
		cc.Stop()
		<-closed
		return nil
	case <-closed:
		return errors.New("bus: the subscription ended")
	}
}

// one makes an errand, and keeps its message from coming again meanwhile.
func (e *errands) one(ctx context.Context, msg jetstream.Msg) {
	over := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() {
		t := time.NewTicker(beat)
		defer t.Stop()
		for {
			select {
			case <-over:
				return
			case <-t.C:
				_ = msg.InProgress() // one that is lost is followed by others
			}
		}
	})
	tries := 1
	if md, err := msg.Metadata(); err == nil {
		tries = int(min(md.NumDelivered, 1<<20))
	}
	err := e.run(ctx, msg.Data(), tries)
	close(over)
	beating.Wait()
	var later LaterError
	switch {
	case err == nil:
		_ = msg.Ack() // it comes again, and is made again: whoever is told takes a repeat
	case errors.As(err, &later) && ctx.Err() == nil:
		_ = msg.NakWithDelay(later.After)
	default:
		_ = msg.Nak()
	}
}
