package bus

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/leadpact/leadpact/internal/event"
)

// Everything that stands on the server is written here and nowhere else: one stream per producer, one durable consumer per role,
// producer and partition.

// takes says whose events a role consumes, in the order in which a start-up log names them.
func takes(role string) []string {
	switch role {
	case event.Scoring:
		return []string{event.Ingest, event.Handoff}
	case event.Handoff:
		return []string{event.Scoring, event.Compliance}
	case event.Compliance:
		return []string{event.Ingest, event.Scoring, event.Handoff}
	}
	return nil
}

func producers() []string {
	return []string{event.Ingest, event.Scoring, event.Handoff, event.Compliance}
}

// gathers says how long what came to a role waits for more. A lead's way to its rep leads through scoring and handoff, and there
// nothing waits. The ledger may be a moment late, and writes many lines for little more than one.
func gathers(role string) time.Duration {
	if role == event.Compliance {
		return gathering
	}
	return 0
}

// rolesOf is takes turned round: who must be registered before producer may say a word.
func rolesOf(producer string) []string {
	var out []string
	for _, role := range producers() {
		if slices.Contains(takes(role), producer) {
			out = append(out, role)
		}
	}
	return out
}

const (
	agreementStream  = "LEADPACT_AGREEMENT"
	agreementSubject = "leadpact.agreement"

	errandStream = "LEADPACT_ERRANDS"
	// ErrandConsumer is the one consumer of errands, as Lag calls it.
	ErrandConsumer = "errands"
	// maxErrands bounds what waits of one source: a sender that cannot be asked for long fills its own part of the stream, and is told to
	// come again.
	maxErrands = 10_000
	// errandBytes bounds the stream. One source's part has room in it, were each of its errands of a hundred thin events.
	errandBytes = 256 << 20

	// partitionsKey is where a stream remembers for how many partitions it was made.
	partitionsKey = "leadpact_partitions"

	// group is the one priority group of each consumer: its pinned member is the partition's owner.
	group = "owner"

	// duplicates spares the common retry a second copy. It is no promise: consumers deduplicate in their own transactions.
	duplicates = 20 * time.Second

	// An owner that is silent for pinnedTTL loses the partition. What it held comes again after ackWait, which is no longer
	// than that, so that the next owner need not wait for it. A longer ackWait would leave the leads of a killed owner
	// lying; slow work does not need it, for an owner renews both while it works.
	pinnedTTL = 5 * time.Second
	ackWait   = 5 * time.Second

	// gathering is how long what came to a role that nobody waits for is left to gather company.
	gathering = 50 * time.Millisecond

	// maxInHand bounds the messages of one partition that an owner holds, in memory and unacknowledged.
	maxInHand = 64

	maxPartitions = 256
)

func streamName(producer string) string {
	switch producer {
	case event.Ingest:
		return "LEADPACT_INGEST"
	case event.Scoring:
		return "LEADPACT_SCORING"
	case event.Handoff:
		return "LEADPACT_HANDOFF"
	case event.Compliance:
		return "LEADPACT_COMPLIANCE"
	}
	return ""
}

func subject(producer string, partition int) string {
	return "leadpact." + producer + "." + strconv.Itoa(partition)
}

func errandSubject(source string) string { return "leadpact.errands." + source }

func consumerName(role, producer string, partition int) string {
	return fmt.Sprintf("%s-%s-%d", role, producer, partition)
}

// shutSubject is the one subject of a stream whose consumers do not all exist yet; nobody publishes to it. See Declare.
func shutSubject(producer string) string { return "leadpact.shut." + producer }

// stream describes a producer's stream. Its subjects are listed one by one, so that the server itself refuses a partition that
// nobody consumes.
func stream(producer string, partitions, replicas int, maxBytes int64) jetstream.StreamConfig {
	cfg := jetstream.StreamConfig{
		Name:        streamName(producer),
		Description: "leadpact: events of " + producer,
		Retention:   jetstream.InterestPolicy,
		Discard:     jetstream.DiscardNew,
		MaxBytes:    maxBytes,
		MaxMsgs:     -1,
		Storage:     jetstream.FileStorage,
		Replicas:    replicas,
		Duplicates:  duplicates,
		Metadata:    map[string]string{partitionsKey: strconv.Itoa(partitions)},
	}
	for p := range partitions {
		cfg.Subjects = append(cfg.Subjects, subject(producer, p))
	}
	return cfg
}

// consumer describes one role's durable consumer. Each message is acknowledged by itself: an acknowledgement of all up to one,
// given by a new owner, would cover what a killed owner was sent and never applied.
func consumer(role, producer string, partition int) jetstream.ConsumerConfig {
	name := consumerName(role, producer, partition)
	return jetstream.ConsumerConfig{
		Durable:        name,
		Name:           name,
		FilterSubject:  subject(producer, partition),
		DeliverPolicy:  jetstream.DeliverAllPolicy,
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        ackWait,
		MaxDeliver:     -1,
		MaxAckPending:  maxInHand,
		PriorityPolicy: jetstream.PriorityPolicyPinned,
		PriorityGroups: []string{group},
		PinnedTTL:      pinnedTTL,
	}
}

// consumers lists every consumer of a producer's stream.
func consumers(producer string, partitions int) []jetstream.ConsumerConfig {
	var out []jetstream.ConsumerConfig
	for _, role := range rolesOf(producer) {
		for p := range partitions {
			out = append(out, consumer(role, producer, p))
		}
	}
	return out
}

// errandsStream describes the stream of what is still to be fetched. It keeps a message until it is done with, whether or not anybody
// listens, and what waits there for a sender that does not answer holds up no other stream, and no other sender's.
func errandsStream(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:                 errandStream,
		Description:          "leadpact: what thin events leave out, to be fetched",
		Subjects:             []string{errandSubject("*")},
		Retention:            jetstream.WorkQueuePolicy,
		Discard:              jetstream.DiscardNew,
		DiscardNewPerSubject: true,
		MaxMsgsPerSubject:    maxErrands,
		MaxBytes:             errandBytes,
		MaxMsgs:              -1,
		Storage:              jetstream.FileStorage,
		Replicas:             replicas,
		Duplicates:           duplicates,
	}
}

// errandsConsumer takes errands of all sources. How many are under way, those that wait to be tried again included, is bounded by the
// stream, for each source: a bound here would be used up by one source that cannot be asked.
func errandsConsumer() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: ErrandConsumer, Name: ErrandConsumer, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: -1,
	}
}

// agreements describes the stream of agreement versions: kept for ever, so a new service learns all of them.
func agreements(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        agreementStream,
		Description: "leadpact: every version of the agreement",
		Subjects:    []string{agreementSubject},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxBytes:    -1,
		MaxMsgs:     -1,
		Storage:     jetstream.FileStorage,
		Replicas:    replicas,
		Duplicates:  duplicates,
		DenyDelete:  true,
		DenyPurge:   true,
	}
}
