// Package bus is the one door to NATS JetStream: it declares the streams with their consumers, publishes with a durable
// acknowledgement, and feeds each partition of a role to one owner at a time.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/leadpact/leadpact/internal/bus/embedded"
)

var (
	// ErrFull: the stream has no room until its consumers catch up; nothing was stored.
	ErrFull = errors.New("bus: stream is full")
	// ErrUnavailable: NATS is away, or did not answer in time. Whether the message was stored is not known; publish it again
	// with the same id.
	ErrUnavailable = errors.New("bus: NATS is unavailable")
	// ErrTooLarge: one event alone is larger than the server takes. Trying again cannot help.
	ErrTooLarge = errors.New("bus: event is too large")
	// ErrMismatch: what stands on the server was made for another configuration.
	ErrMismatch = errors.New("bus: streams were made for another configuration")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("bus: closed")
)

// DefaultMaxBytes bounds each producer's stream when Config says nothing.
const DefaultMaxBytes = 1 << 30

// giveWay is for how long an owner whose events fail keeps its partition before it lets another replica try.
const giveWay = 30 * time.Second

// Config says where NATS is and what is declared there. Exactly one of URL and Server is set.
type Config struct {
	URL         string           // of a cluster: one or several nats:// or tls:// addresses, with commas between them
	Server      *embedded.Server // in this process, without a socket
	Partitions  int              // of every stream; fixed once the streams exist
	Replicas    int              // of every stream; 0 is 1 embedded and 3 on a cluster
	MaxBytes    int64            // of each producer's stream; 0 is DefaultMaxBytes
	Name        string           // of this client, as the server's monitoring shows it
	Credentials Credentials
	// MonitorURLs are the servers' monitoring addresses (http://host:8222), asked for proof that they fsync each write.
	MonitorURLs []string
	// DurabilityUnproven accepts a cluster that was not shown to fsync before it acknowledges: a 202 may then be lost.
	DurabilityUnproven bool
	Logger             *slog.Logger // nil is slog.Default
}

// Credentials open a cluster's door. All are optional.
type Credentials struct {
	File           string // a NATS .creds file
	User, Password string
	CA, Cert, Key  string // PEM files
}

// validate fills in defaults and returns what is wrong.
func (c *Config) validate() error {
	switch {
	case (c.URL == "") == (c.Server == nil):
		return errors.New("bus: give either the URL of a NATS cluster or an embedded server")
	case c.Partitions < 1 || c.Partitions > maxPartitions:
		return fmt.Errorf("bus: %d partitions: give 1 to %d", c.Partitions, maxPartitions)
	case c.Replicas < 0 || c.Replicas > 5:
		return fmt.Errorf("bus: %d replicas: give 1, 3 or 5", c.Replicas)
	case c.Server != nil && c.Replicas > 1:
		return fmt.Errorf("bus: %d replicas: the embedded server stands alone", c.Replicas)
	case c.MaxBytes < 0:
		return fmt.Errorf("bus: max bytes %d: give a positive number", c.MaxBytes)
	}
	if c.Replicas == 0 {
		c.Replicas = 3
		if c.Server != nil {
			c.Replicas = 1
		}
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.Name == "" {
		c.Name = "leadpact"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return nil
}

// Bus is one process's connection. Its methods may be called from several goroutines.
type Bus struct {
	cfg Config
	log *slog.Logger
	nc  *nats.Conn
	js  jetstream.JetStream

	declared atomic.Bool // all streams and consumers were seen; Publish waits for it
	proof    proof
	giveWay  time.Duration

	stopping context.Context //nolint:containedctx // the bus's own life, of no call; over when Close begins: consumers finish what they hold
	stop     context.CancelFunc
	cutting  context.Context //nolint:containedctx // as above; over when Close may not wait any longer
	cut      context.CancelFunc

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// Open connects. A cluster that is away is no error: the connection is tried again for ever, and Ready says so meanwhile.
func Open(ctx context.Context, cfg Config) (*Bus, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("bus: open: %w", err)
	}
	b := &Bus{cfg: cfg, log: cfg.Logger, giveWay: giveWay, proof: proof{syncAlways: map[string]bool{}}}
	b.stopping, b.stop = context.WithCancel(context.Background())
	b.cutting, b.cut = context.WithCancel(context.Background())

	var err error
	if b.nc, err = nats.Connect(cfg.URL, b.options()...); err != nil {
		return nil, fmt.Errorf("bus: connect to %s: %w", redact(cfg.URL), err)
	}
	if b.js, err = jetstream.New(b.nc); err != nil {
		b.nc.Close()
		return nil, fmt.Errorf("bus: open JetStream: %w", err)
	}
	return b, nil
}

func (b *Bus) options() []nats.Option {
	opts := []nats.Option{
		nats.Name(b.cfg.Name),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // a rotated password is a passing state too
		nats.ReconnectWait(200 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 500*time.Millisecond),
		nats.ReconnectBufSize(-1), // while NATS is away a publish fails at once and is not kept for later
		nats.Timeout(2 * time.Second),
		nats.PingInterval(5 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				b.log.Warn("lost NATS, connecting again", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			b.log.Info("connected to NATS again", "server", nc.ConnectedServerName())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			b.log.Warn("NATS reports an error", "error", err)
		}),
	}
	if b.cfg.Server != nil {
		return append(opts, nats.InProcessServer(b.cfg.Server))
	}
	c := b.cfg.Credentials
	if c.File != "" {
		opts = append(opts, nats.UserCredentials(c.File))
	}
	if c.User != "" {
		opts = append(opts, nats.UserInfo(c.User, c.Password))
	}
	if c.CA != "" {
		opts = append(opts, nats.RootCAs(c.CA))
	}
	if c.Cert != "" {
		opts = append(opts, nats.ClientCert(c.Cert, c.Key))
	}
	return opts
}

// Partitions is the number of partitions of every stream.
func (b *Bus) Partitions() int { return b.cfg.Partitions }

// InFlight is how many messages of one partition are worth having on their way at a time. The embedded server fsyncs one after
// another, so that a second would only wait with fewer events in it; a cluster's round trips overlap.
func (b *Bus) InFlight() int {
	if b.cfg.Server != nil {
		return 1
	}
	return 4
}

// Close ends every Consume after its batch in hand, and the connection. When ctx ends first, what is in hand is cut off and
// comes again to the next owner; a ctx that is over already is a hard stop, as if the process were killed.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()

	if ctx.Err() != nil {
		b.nc.Close() // before anything is told: a killed process says no goodbye either
		b.cut()
		b.stop()
		return nil //nolint:nilerr // the caller asked for a hard stop and got it
	}
	b.stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.running.Wait()
	}()
	var err error
	select {
	case <-done:
		if b.nc.IsConnected() {
			err = b.nc.FlushWithContext(ctx)
		}
	case <-ctx.Done():
		err = fmt.Errorf("bus: close cut off a batch, it will be delivered again: %w", ctx.Err())
	}
	b.cut()
	b.nc.Close()
	return err
}

// enter counts a running consumer in, unless the bus is closed.
func (b *Bus) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	b.running.Add(1)
	return nil
}

// until is ctx, ended early when Close begins.
func (b *Bus) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.stopping, cancel)
	return ctx, func() { stop(); cancel() }
}

// redact takes passwords and tokens out of addresses.
func redact(urls string) string {
	var out []string
	for u := range strings.SplitSeq(urls, ",") {
		p, err := url.Parse(strings.TrimSpace(u))
		if err != nil {
			out = append(out, "(unreadable address)")
			continue
		}
		p.User = nil
		out = append(out, p.String())
	}
	return strings.Join(out, ",")
}

// pause waits for d, or less when ctx ends, and says whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return ctx.Err() == nil
	}
}
