package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
)

// roles are what a process can be.
func roles() []string { return []string{event.Ingest, event.Scoring, event.Handoff, event.Compliance} }

// Config says what a process is and where its parts are. The zero value with Data set is the embedded default.
type Config struct {
	// Roles of the process; none given means all.
	Roles []string
	// Agreement and Roster are files. An agreement is activated at the start on the embedded way only, with the file of signatures beside
	// it, or unsigned when it names no keys; in production it is activated over gRPC.
	Agreement string
	Roster    string
	// Data is the folder of the embedded way: the event log, the databases, the keys.
	Data string
	// HTTP and GRPC are addresses to listen on; port 0 takes a free one.
	HTTP, GRPC string
	// PublicURL is what stands before /v1/hooks in the address that senders are given; some of their signatures cover it. "" takes each
	// request's own scheme and host, as the proxies in TrustedProxies (addresses, or networks as 10.0.0.0/8) tell them.
	PublicURL      string
	TrustedProxies []string
	// Admin is an address for profiles; "" serves none. It asks nobody who he is.
	Admin string

	// NATS and Database are addresses of the production way; both or neither.
	NATS     string
	Database string
	// NATSMonitors are the monitoring addresses that prove durability; DurabilityUnproven starts without the proof.
	NATSMonitors       []string
	DurabilityUnproven bool
	Partitions         int
	StreamBytes        int64
	// LeadKey is a reference to the secret that lead ids are made with; the embedded way makes its own.
	LeadKey string
	// Tokens is the file of tokens that gRPC takes.
	Tokens string
	// People get a token each at the start, as the demonstration needs them.
	People []identity.Person

	// Secret resolves references to secrets; nil means the function Secret.
	Secret func(ref string) (string, error)

	// NoticeRetries replaces the pauses between tries of an outgoing webhook.
	NoticeRetries []time.Duration
	// HubSpot is another address than HubSpot's own, for tests.
	HubSpot string
	// PrivateNotices lets notices go to loopback and private addresses.
	PrivateNotices bool
	// DrainDelay is how long a stopping process says that it is not ready before it closes its door.
	DrainDelay time.Duration

	Version string
	Logger  *slog.Logger

	proxies []netip.Prefix // TrustedProxies
}

// embedded says whether everything runs in this process.
func (c *Config) embedded() bool { return c.NATS == "" && c.Database == "" }

func (c *Config) has(role string) bool { return slices.Contains(c.Roles, role) }

// owner names the process in leases. The data folder admits one process at a time, so the next one there is the same owner, and
// takes up at once what one that was killed still held.
func (c *Config) owner() string {
	if c.embedded() {
		return "embedded"
	}
	return replicaName()
}

// complete fills in defaults and says what does not fit together.
func (c *Config) complete() error {
	if err := c.completeRoles(); err != nil {
		return err
	}
	if (c.NATS == "") != (c.Database == "") {
		return errors.New("--nats and --database go together: without both everything is embedded")
	}
	if c.Partitions < 0 {
		return fmt.Errorf("--partitions %d: give 1 or more", c.Partitions)
	}
	if c.DrainDelay < 0 {
		return fmt.Errorf("--drain-delay %s: give 0s or more", c.DrainDelay)
	}
	if err := c.completeProxies(); err != nil {
		return err
	}
	if c.embedded() {
		if err := c.completeEmbedded(); err != nil {
			return err
		}
	} else if err := c.completeProduction(); err != nil {
		return err
	}
	if c.HTTP == "" {
		c.HTTP = "127.0.0.1:8080"
	}
	if c.GRPC == "" {
		c.GRPC = "127.0.0.1:9090"
	}
	if c.Secret == nil {
		c.Secret = Secret
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (c *Config) completeRoles() error {
	if len(c.Roles) == 0 {
		c.Roles = roles()
	}
	for i, r := range c.Roles {
		if !slices.Contains(roles(), r) {
			return fmt.Errorf("role %q does not exist: roles are %s", r, strings.Join(roles(), ", "))
		}
		if slices.Contains(c.Roles[:i], r) {
			return fmt.Errorf("role %q is named twice", r)
		}
	}
	return nil
}

func (c *Config) completeProxies() error {
	for _, text := range c.TrustedProxies {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			address, addressErr := netip.ParseAddr(text)
			if addressErr != nil || address.Zone() != "" {
				return fmt.Errorf("--trusted-proxies %s: write an address as 10.0.0.7, or a network as 10.0.0.0/8", text)
			}
			network = netip.PrefixFrom(address, address.BitLen())
		}
		c.proxies = append(c.proxies, network.Masked())
	}
	return nil
}

func (c *Config) completeEmbedded() error {
	if len(c.Roles) != len(roles()) {
		return errors.New("embedded, one process has all roles: give --nats and --database to split them")
	}
	if c.Data == "" {
		return errors.New("--data is missing: the folder for the event log and the databases")
	}
	if len(c.NATSMonitors) > 0 || c.DurabilityUnproven {
		return errors.New("--nats-monitor and --durability-unproven are about a NATS cluster: give --nats and --database with them; embedded, every write is fsynced")
	}
	if c.Partitions == 0 {
		c.Partitions = 1
	}
	if c.StreamBytes == 0 {
		c.StreamBytes = 256 << 20 // four streams; a small disk must do
	}
	if c.Tokens == "" {
		c.Tokens = filepath.Join(c.Data, "tokens.json")
	}
	return nil
}

func (c *Config) completeProduction() error {
	if c.Agreement != "" {
		return errors.New("--agreement activates on the embedded way only: in production use leadpact activate")
	}
	if c.LeadKey == "" && c.has(event.Scoring) {
		return errors.New("--lead-key is missing: a reference (env:NAME or file:PATH) to one secret that all scoring replicas share")
	}
	if onlyIngest := len(c.Roles) == 1 && c.has(event.Ingest); c.Tokens == "" && !onlyIngest {
		return errors.New("--tokens is missing: the file of tokens that gRPC takes; leadpact token adds to it")
	}
	if c.Partitions == 0 {
		c.Partitions = 8
	}
	return nil
}
