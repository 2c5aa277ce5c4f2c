package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	provenReplicas = 3
	monitorWithin  = 2 * time.Second
	proofLasts     = 30 * time.Second
	askAgain       = time.Second
)

// proof remembers what each server last said of itself, by name. One that cannot be asked just now keeps its word: while it is
// down it acknowledges nothing, and when it is back it is asked again.
type proof struct {
	mu         sync.Mutex
	syncAlways map[string]bool
	asked      time.Time
}

// durable returns nil when an acknowledgement of the stream means that its message survives: every server that keeps a copy and
// is there now fsyncs each write, and in a cluster there are three copies.
func (b *Bus) durable(ctx context.Context, info *jetstream.StreamInfo) error {
	if b.cfg.DurabilityUnproven {
		return nil
	}
	if b.cfg.Server != nil {
		if !b.cfg.Server.Durable() {
			return fmt.Errorf("bus: the embedded server does not fsync each write: start it by embedded.Start")
		}
		return nil
	}
	const accept = "or accept the risk with --durability-unproven"
	name := info.Config.Name
	if info.Config.Replicas < provenReplicas || info.Cluster == nil {
		return fmt.Errorf("bus: durability is not proved: stream %s keeps %d copies and %d are needed: use a cluster of three servers, %s",
			name, info.Config.Replicas, provenReplicas, accept)
	}
	if len(b.cfg.MonitorURLs) == 0 {
		return fmt.Errorf("bus: durability is not proved: give the monitoring address of every NATS server, %s", accept)
	}
	peers := []string{info.Cluster.Leader}
	for _, r := range info.Cluster.Replicas {
		if !r.Offline {
			peers = append(peers, r.Name)
		}
	}
	for _, peer := range peers {
		if !b.proof.of(ctx, peer, b.cfg.MonitorURLs, b.log) {
			return fmt.Errorf("bus: durability is not proved: server %q keeps a copy of %s and did not show sync_interval: always: "+
				"set it in its jetstream configuration and give its monitoring address, %s", peer, name, accept)
		}
	}
	return nil
}

// of says whether the server called name fsyncs each write. All are asked when it is not known to and when the last answers are
// old: a server may come back with another configuration.
func (p *proof) of(ctx context.Context, name string, urls []string, log *slog.Logger) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	age := time.Since(p.asked)
	if age < proofLasts && (p.syncAlways[name] || age < askAgain) {
		return p.syncAlways[name]
	}
	type answer struct {
		name       string
		syncAlways bool
		err        error
	}
	answers := make(chan answer, len(urls))
	for _, u := range urls {
		go func() {
			name, always, err := askServer(ctx, u)
			if err != nil {
				err = fmt.Errorf("ask %s: %w", redact(u), err)
			}
			answers <- answer{name, always, err}
		}()
	}
	for range urls {
		a := <-answers
		if a.err != nil {
			log.Warn("a NATS server's monitoring did not answer", "error", a.err)
			continue
		}
		p.syncAlways[a.name] = a.syncAlways
	}
	p.asked = time.Now()
	return p.syncAlways[name]
}

// askServer reads a server's own configuration from /varz, which names the server beside it; /jsz gives only its id.
func askServer(ctx context.Context, base string) (name string, syncAlways bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, monitorWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+"/varz", nil)
	if err != nil {
		return "", false, err
	}
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return "", false, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return "", false, fmt.Errorf("answers %s", res.Status)
	}
	var v struct {
		Name      string `json:"server_name"`
		JetStream struct {
			Config struct {
				SyncAlways bool `json:"sync_always"`
			} `json:"config"`
		} `json:"jetstream"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 4<<20)).Decode(&v); err != nil {
		return "", false, fmt.Errorf("answers no /varz: %w", err)
	}
	return v.Name, v.JetStream.Config.SyncAlways, nil
}
