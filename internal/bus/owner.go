package bus

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// pullExpiry is how long a request for messages stands. Renewing it is also how an owner keeps its pin, so it is well
	// below pinnedTTL.
	pullExpiry = 2 * time.Second
	// beat is how often messages in hand are kept from coming again; well below ackWait.
	beat = time.Second
	// settleCheck is how often a new owner looks whether the former one's messages are back.
	settleCheck = 50 * time.Millisecond
	drainWithin = 2 * time.Second
	// quiesceWithin bounds the wait for messages that are on their way to an owner which leaves; when another owner is at work
	// already, the count never gets there.
	quiesceWithin = 500 * time.Millisecond
	pinHeader     = "Nats-Pin-Id"
)

// errLost: the server gave the partition to another replica.
var errLost = errors.New("bus: partition was given to another owner")

// errGaveWay: the owner failed for long enough to let another replica try.
var errGaveWay = errors.New("bus: gave the partition up for others to try")

// owner is one replica's stand at one partition of one producer for one role. The server is authoritative: it pins one replica
// and sends messages to it alone.
//
//	           first message with our pin                    every message that was sent to
//	           (its id is in the header)                     anyone is acknowledged or in our hand
//	waiting ───────────────────────────▶ pinned, unsettled ───────────────────────▶ settled: applies
//	   ▲                                        │                                       │
//	   └──────── 423: the pin is another's; Apply is cancelled, what is held goes back ─┘
//
// A gap in the consumer's own numbering unsettles too: what was sent on a connection that broke comes again.
//
// Settling keeps the order over a take-over: what a former owner was sent comes to the new one again, at once when it was given
// back and after ackWait when that owner was killed, and until then the new owner must not apply what follows.
//
// Two replicas act on one partition at once only when one of them is stopped for longer than ackWait in the middle of an Apply
// and then goes on; the store's row locks and unique facts hold against that.
type owner struct {
	bus       *Bus
	handler   Handler
	role      string
	producer  string
	partition int
	gather    time.Duration // how long what came is left to gather company
	log       *slog.Logger

	wake chan struct{} // capacity 1: something changed

	mu      sync.Mutex
	pin     string
	settled bool
	last    uint64      // consumer sequence of the newest delivery
	held    []*delivery // by stream sequence, not acknowledged; the first hand of them are being applied
	hand    int
	abort   context.CancelCauseFunc // of the Apply under way
}

// delivery is one message that this replica was sent.
type delivery struct {
	msg     jetstream.Msg
	seq     uint64 // in the stream
	nth     uint64 // delivery of the consumer
	came    time.Time
	touched time.Time // when the server last heard that we have it
	sent    uint64    // how often it was delivered, to anyone
}

// run owns the partition whenever the server says so, until ctx ends; then it finishes what is being applied and gives the rest
// back.
func (o *owner) run(ctx context.Context) {
	stopBeat := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() { o.beatUntil(stopBeat) })
	defer beating.Wait()
	defer close(stopBeat)

	var wait backoff
	for {
		began := time.Now()
		err := o.attend(ctx)
		if ctx.Err() != nil {
			return
		}
		o.log.Warn("partition is let go and taken again soon", "error", err)
		if time.Since(began) > longestPause {
			wait = backoff{}
		}
		if errors.Is(err, errGaveWay) {
			wait.ceiling = longestPause // long enough for another replica to be pinned
		}
		pause(ctx, wait.next())
	}
}

// attend subscribes once and works until ctx ends or the subscription breaks.
func (o *owner) attend(ctx context.Context) error {
	ask, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	stream, err := o.bus.js.Stream(ask, streamName(o.producer))
	if err != nil {
		return err
	}
	cons, err := stream.Consumer(ask, consumerName(o.role, o.producer, o.partition))
	if err != nil {
		return err
	}
	cc, err := cons.Consume(o.take,
		jetstream.PullPriorityGroup(group),
		jetstream.PullMaxMessages(maxInHand),
		jetstream.PullExpiry(pullExpiry),
		jetstream.PullHeartbeat(pullExpiry/2),
		jetstream.ConsumeErrHandler(o.trouble))
	if err != nil {
		return err
	}
	closed := cc.Closed()
	err = o.work(ctx, cons, closed)

	// What the server sends to a subscription that has ended lies there for ackWait, and the next owner waits for it. So the
	// pin goes first, then what is on its way arrives, then the subscription ends, and at last all is given back.
	o.unpin(stream)
	o.quiesce(cons)
	cc.Drain()
	t := time.NewTimer(drainWithin)
	defer t.Stop()
	select {
	case <-closed:
	case <-o.bus.cutting.Done():
	case <-t.C: // NATS is away; what is on its way comes again
	}
	o.leave(stream)
	return err
}

// work applies what comes, batch by batch.
func (o *owner) work(ctx context.Context, cons jetstream.Consumer, closed <-chan struct{}) error {
	check := time.NewTimer(0)
	defer check.Stop()
	for {
		batch, apply, unsettled, wait := o.next()
		if ctx.Err() != nil {
			return nil // what is in hand is given back by leave
		}
		if len(batch) > 0 {
			err := o.applyBatch(ctx, apply, batch)
			if ctx.Err() != nil || errors.Is(err, errGaveWay) {
				return err
			}
			o.giveBack()
			continue
		}
		if unsettled {
			check.Reset(settleCheck)
			o.settle(ctx, cons)
		}
		if wait > 0 {
			check.Reset(wait)
		}
		select {
		case <-ctx.Done():
		case <-closed:
			return errors.New("bus: the subscription ended")
		case <-o.wake:
		case <-check.C:
		}
	}
}

// next takes a batch in hand, with the context under which to apply it: it ends when the pin is lost or the bus is cut off. Without
// a batch it says whether the owner must settle first, or how long to wait for more.
func (o *owner) next() (batch []*delivery, apply context.Context, unsettled bool, wait time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.pin == "" || len(o.held) == 0:
		return nil, nil, false, 0
	case !o.settled:
		return nil, nil, true, 0
	}
	if wait = o.gather - time.Since(o.held[0].came); wait > 0 && len(o.held) < maxInHand {
		return nil, nil, false, wait
	}
	apply, o.abort = context.WithCancelCause(o.bus.cutting)
	o.hand = len(o.held)
	return slices.Clone(o.held), apply, false, 0
}

// settle compares what anyone was sent and did not acknowledge with what we hold.
func (o *owner) settle(ctx context.Context, cons jetstream.Consumer) {
	ask, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	o.mu.Lock()
	pin := o.pin
	o.mu.Unlock()
	info, err := cons.Info(ask)
	if err != nil {
		return // asked again at the next check
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pin == pin && o.covers(info) {
		o.settled = true
		o.nudge()
	}
}

// covers says whether everything that was sent to anyone and not acknowledged, at the moment of info, is in our hand. What came
// after that moment must not be counted for it, nor what another owner acknowledged late; the lock is held.
func (o *owner) covers(info *jetstream.ConsumerInfo) bool {
	n := 0
	for _, d := range o.held {
		if d.nth <= info.Delivered.Consumer && d.seq > info.AckFloor.Stream {
			n++
		}
	}
	return n >= info.NumAckPending
}

// take receives one message; it runs in the subscription's goroutine.
func (o *owner) take(msg jetstream.Msg) {
	md, err := msg.Metadata()
	if err != nil {
		o.log.Error("a message without JetStream's marks was left alone", "error", err)
		return
	}
	now := time.Now()
	d := &delivery{msg: msg, seq: md.Sequence.Stream, nth: md.Sequence.Consumer, came: now, touched: now, sent: md.NumDelivered}
	o.mu.Lock()
	defer o.mu.Unlock()
	if pin := msg.Headers().Get(pinHeader); pin != o.pin {
		o.pin, o.settled = pin, false
	}
	if md.Sequence.Consumer != o.last+1 {
		o.settled = false // something was sent before it and was lost with a connection; it comes again
	}
	o.last = md.Sequence.Consumer
	// A message that we hold already comes again when a beat was late; the copy we hold answers for both.
	if _, again := slices.BinarySearchFunc(o.held[:o.hand], d.seq, bySeq); again {
		return
	}
	at, again := slices.BinarySearchFunc(o.held[o.hand:], d.seq, bySeq)
	if again {
		return
	}
	o.held = slices.Insert(o.held, o.hand+at, d)
	o.nudge()
}

// trouble hears what the subscription could not mend silently.
func (o *owner) trouble(_ jetstream.ConsumeContext, err error) {
	if errors.Is(err, jetstream.ErrPinIDMismatch) {
		o.log.Info("partition went to another owner")
		o.lose()
		return
	}
	o.log.Debug("subscription", "error", err)
}

// lose stops acting: the server has named another owner, or will name one with its next message.
func (o *owner) lose() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pin, o.settled = "", false
	if o.abort != nil {
		o.abort(errLost)
	}
	rest := o.held[o.hand:]
	o.held = slices.Clip(o.held[:o.hand])
	nakAll(rest)
	o.nudge()
}

// acked tells the server that d is applied.
func (o *owner) acked(d *delivery) {
	if err := d.msg.Ack(); err != nil {
		o.log.Debug("an acknowledgement was not sent, the message will come again", "error", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.Index(o.held, d); i >= 0 {
		o.held = slices.Delete(o.held, i, i+1)
		o.hand--
	}
}

// giveBack ends the batch in hand: what of it is not acknowledged goes back to the server, in order.
func (o *owner) giveBack() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endApply()
	if o.hand > 0 {
		// What follows the batch must not be applied before the batch is back.
		o.settled = false
		nakAll(o.held[:o.hand])
		o.held = slices.Clip(o.held[o.hand:])
		o.hand = 0
	}
}

// quiesce waits, not for long, until everything that was sent and is not acknowledged is in our hand.
func (o *owner) quiesce(cons jetstream.Consumer) {
	if !o.bus.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(o.bus.cutting, quiesceWithin)
	defer cancel()
	for {
		info, err := cons.Info(ctx)
		if err != nil {
			return
		}
		o.mu.Lock()
		all := o.covers(info)
		o.mu.Unlock()
		if all || !pause(ctx, settleCheck) {
			return
		}
	}
}

// leave gives back whatever came until the subscription had ended.
func (o *owner) leave(stream jetstream.Stream) {
	o.unpin(stream) // with nobody else waiting, the server may have pinned us once more
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endApply()
	nakAll(o.held)
	o.held, o.hand = nil, 0
}

// endApply frees the last Apply's context; the lock is held.
func (o *owner) endApply() {
	if o.abort != nil {
		o.abort(nil)
		o.abort = nil
	}
}

// unpin lets the server name another owner at once instead of after pinnedTTL.
func (o *owner) unpin(stream jetstream.Stream) {
	o.mu.Lock()
	pinned := o.pin != ""
	o.pin, o.settled = "", false
	o.mu.Unlock()
	if !pinned || !o.bus.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(o.bus.cutting, drainWithin)
	defer cancel()
	if err := stream.UnpinConsumer(ctx, consumerName(o.role, o.producer, o.partition), group); err != nil {
		o.log.Debug("the pin was not given back, it will lapse", "error", err)
	}
}

// beatUntil keeps what is held from coming again, for as long as we are the owner.
func (o *owner) beatUntil(stop <-chan struct{}) {
	t := time.NewTicker(beat)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-t.C:
			o.mu.Lock()
			if o.pin != "" {
				for _, d := range o.held {
					if now.Sub(d.touched) >= beat/2 && d.msg.InProgress() == nil {
						d.touched = now
					}
				}
			}
			o.mu.Unlock()
		}
	}
}

func (o *owner) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func bySeq(d *delivery, seq uint64) int { return cmp.Compare(d.seq, seq) }

func nakAll(ds []*delivery) {
	for _, d := range ds {
		_ = d.msg.Nak() // one that is lost comes again after ackWait
	}
}
