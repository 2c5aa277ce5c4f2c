package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/agreement/sealtest"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
	"github.com/leadpact/leadpact/services/leadpact/sender"
	"github.com/leadpact/leadpact/services/leadpact/verify"
)

// crowd sends one lead after the other until it is told to stop, and remembers which were answered 202, and when.
type crowd struct {
	sender *sender.Sender
	mu     sync.Mutex
	taken  map[string]time.Time // by event id: when it was sent
}

func (c *crowd) send(ctx context.Context, stop <-chan struct{}, name string) error {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return nil
		default:
		}
		id := fmt.Sprintf("%s-%d", name, i)
		body, err := json.Marshal(raise(id, id+"@example.com"))
		if err != nil {
			return err
		}
		sent := time.Now()
		answer, err := c.sender.Post(ctx, "", body)
		if err != nil || answer.Status != http.StatusAccepted {
			return fmt.Errorf("lead %s: %+v: %w", id, answer, err)
		}
		c.mu.Lock()
		c.taken[id] = sent
		c.mu.Unlock()
	}
}

// since counts what was sent at or after t, and answered 202.
func (c *crowd) since(t time.Time) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, sent := range c.taken {
		if !sent.Before(t) {
			n++
		}
	}
	return n
}

// TestSecondVersionUnderLoad: while leads come without a pause another version comes into force. None is lost, each is judged by the
// version in force when it is decided, and keeps to it; the ledger shows it.
func TestSecondVersionUnderLoad(t *testing.T) {
	t.Parallel()
	first := sealtest.Keyed(t, bytes.Replace(apptest.Agreement, []byte("within: 1s"), []byte("within: 1h"), 1))
	second := sealtest.Following(t, []byte(strings.NewReplacer("version: test-1", "version: test-2", "within: 1h,", "within: 2h,").Replace(string(first))), first)
	within := map[string]time.Duration{hashOf(t, first): time.Hour, hashOf(t, second): 2 * time.Hour}
	cfg := apptest.Config(t, t.TempDir())
	for name, text := range map[string][]byte{
		cfg.Agreement: first, cfg.Agreement + agreement.SealSuffix: sealtest.Seal(t, first),
		cfg.Roster: bytes.ReplaceAll(apptest.Roster, []byte("capacity: 50"), []byte("capacity: 100000")),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := apptest.Start(t, cfg)
	a, _ := agreement.Parse("agreement.yaml", first)
	website, _ := a.Source("website")
	secret, err := apptest.Secret(website.Verify.Secrets[0])
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{taken: map[string]time.Time{}, sender: sender.New("http://"+s.HTTPAddr()+"/v1/hooks/website", website.Verify.Proof, secret, time.Minute)}
	defer c.sender.Close()
	stop := make(chan struct{})
	ended := sync.OnceFunc(func() { close(stop) })
	crew, ctx := errgroup.WithContext(t.Context())
	defer func() { ended(); _ = crew.Wait() }() // the error was looked at below, unless the test failed before
	for i := range 4 {
		crew.Go(func() error { return c.send(ctx, stop, fmt.Sprintf("s%d", i)) })
	}
	enough := func(since time.Time) {
		apptest.Until(t, "a hundred leads", func() error {
			if n := c.since(since); n < 100 && ctx.Err() == nil {
				return fmt.Errorf("%d so far", n)
			}
			return nil
		})
	}
	enough(time.Time{})
	early := s.Assigned(t, "s0-0@example.com")
	token, err := os.ReadFile(s.AdminToken())
	if err != nil {
		t.Fatal(err)
	}
	admin := leadpactv1.NewAgreementServiceClient(s.Dial(t, strings.TrimSpace(string(token))))
	answer, err := admin.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: second, Signatures: sealtest.Seal(t, second)})
	if err != nil {
		t.Fatal(err)
	}
	from := answer.GetVersion().GetActiveFrom().AsTime()
	if answer.GetVersion().GetInForce() {
		t.Errorf("the second version is in force before everyone can know of it: %v", answer)
	}
	enough(from)
	// A lead that is under way keeps to the version that it began under.
	rep := leadpactv1.NewHandoffServiceClient(s.Dial(t, s.Token(early.GetRep())))
	if _, err := rep.Accept(t.Context(), &leadpactv1.AcceptRequest{Lead: early.GetLead(), RequestId: "r"}); err != nil {
		t.Error(err)
	}
	ended()
	if err := crew.Wait(); err != nil {
		t.Fatal(err)
	}

	stores := apptest.Stores(t, s.Data)
	var accepted, out strings.Builder
	for id := range c.taken {
		accepted.WriteString("website\t" + id + "\n")
	}
	err = verify.Run(t.Context(), verify.Options{
		Stores: stores, Accepted: strings.NewReader(accepted.String()), Doors: []string{s.HTTPAddr()}, Patience: 30 * time.Second, Out: &out,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	judged(t, stores.Compliance, c.taken, within, hashOf(t, first), hashOf(t, second), from, early.GetLead())
}

// judged reads the ledger, as somebody would who trusts nothing else.
func judged(t *testing.T, s store.Compliance, taken map[string]time.Time, within map[string]time.Duration, first, second string, from time.Time, early string) {
	t.Helper()
	received, staged, started, clocks, met := map[string]int{}, map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}
	under := map[string]int{} // decisions by version
	for shard := range ledger.Shards {
		for after := int64(0); ; {
			rows, err := s.Entries(t.Context(), shard, after, "", 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				after = row.Seq
				var e eventv1.Event
				if err := proto.Unmarshal(row.Data, &e); err != nil {
					t.Fatal(err)
				}
				switch b := e.GetBody().(type) {
				case *eventv1.Event_LeadReceived:
					received[row.EventID]++
				case *eventv1.Event_LeadStaged:
					if b.LeadStaged.GetHandoff() {
						if _, twice := staged[e.GetLead()]; twice {
							t.Errorf("lead %s came to the handoff twice", e.GetLead())
						}
						staged[e.GetLead()] = e.GetAgreement()
					}
					under[e.GetAgreement()]++
					want, at := first, event.Time(b.LeadStaged.GetDecidedAt())
					if !at.Before(from) {
						want = second
					}
					if e.GetAgreement() != want {
						t.Errorf("lead %s was decided at %s, %s from the change, under %s", e.GetLead(), at, at.Sub(from), e.GetAgreement())
					}
				case *eventv1.Event_HandoffStarted:
					started[e.GetLead()] = e.GetAgreement()
				case *eventv1.Event_ClockStarted:
					clocks[e.GetLead()] = e.GetAgreement()
					clock := b.ClockStarted.GetClock()
					runs := event.Time(clock.GetDueAt()).Sub(event.Time(clock.GetStartedAt()))
					if runs != within[e.GetAgreement()] || time.Duration(clock.GetWithin())*time.Microsecond != runs {
						t.Errorf("the clock of lead %s runs %s under %s", e.GetLead(), runs, e.GetAgreement())
					}
				case *eventv1.Event_ClockMet:
					met[e.GetLead()] = e.GetAgreement()
				}
			}
			if len(rows) < 1000 {
				break
			}
		}
	}
	for id := range taken {
		key := ledger.ID(&eventv1.Event{Source: "website", Id: id, Body: &eventv1.Event_LeadReceived{LeadReceived: &eventv1.LeadReceived{}}})
		if received[key] != 1 {
			t.Errorf("event %s stands %d times in the ledger", id, received[key])
		}
	}
	if len(received) != len(taken) || len(staged) != len(taken) {
		t.Errorf("%d leads were answered 202, %d stand in the ledger and %d of them came to the handoff", len(taken), len(received), len(staged))
	}
	for lead, hash := range staged {
		if started[lead] != hash || clocks[lead] != hash {
			t.Errorf("lead %s was judged under %s, handed off under %q, and its clock runs under %q", lead, hash, started[lead], clocks[lead])
		}
	}
	if met[early] != first {
		t.Errorf("the promise on the lead under way was kept under %q, want %s", met[early], first)
	}
	if under[first] == 0 || under[second] == 0 {
		t.Errorf("decisions by version: %v, want some of both", under)
	}
	t.Logf("%d leads: %d changes of stage under the first version, %d under the second", len(taken), under[first], under[second])
}

func hashOf(t *testing.T, text []byte) string {
	t.Helper()
	a, faults := agreement.Parse("agreement.yaml", text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return a.Hash
}

// TestSignedAtTheStart: what names keys needs its signatures beside it, and what was in force with keys is followed by no other.
func TestSignedAtTheStart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	cfg := apptest.Config(t, data)
	keyed := sealtest.Keyed(t, apptest.Agreement)
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fails := func(words string) {
		t.Helper()
		if err := apptest.Run(t, cfg).Wait(t); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("the process ends with %v, want %s", err, words)
		}
	}
	write(cfg.Agreement, keyed)
	fails("marketing has not signed")
	write(cfg.Agreement+agreement.SealSuffix, sealtest.Seal(t, keyed))
	s := apptest.Start(t, cfg)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	write(cfg.Agreement, apptest.Agreement)
	fails("names the keys of both sides and this one names none")
	write(cfg.Agreement, keyed)
	if err := os.Remove(cfg.Agreement + agreement.SealSuffix); err != nil {
		t.Fatal(err)
	}
	apptest.Start(t, cfg) // it is in force
}

// TestRosterOfTheStart: a process that starts again does not undo what was changed while it ran.
func TestRosterOfTheStart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := apptest.Start(t, apptest.Config(t, data))
	token, err := os.ReadFile(s.AdminToken())
	if err != nil {
		t.Fatal(err)
	}
	admin := strings.TrimSpace(string(token))
	changed := append(bytes.Clone(apptest.Roster), []byte("  cai: {team: t, capacity: 50}\n")...)
	if _, err := leadpactv1.NewHandoffServiceClient(s.Dial(t, admin)).SetRoster(t.Context(), &leadpactv1.SetRosterRequest{Text: changed}); err != nil {
		t.Fatal(err)
	}
	// Compliance hears whom the agreement concerns.
	apptest.Until(t, "the newcomer's word is asked for", func() error {
		c, err := leadpactv1.NewAgreementServiceClient(s.Dial(t, admin)).GetCoverage(t.Context(), &leadpactv1.GetCoverageRequest{})
		if err == nil && strings.Join(c.GetMissing(), " ") != "ann bob cai mia" {
			err = errors.New(strings.Join(c.GetMissing(), " "))
		}
		return err
	})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = apptest.Start(t, apptest.Config(t, data))
	list, err := leadpactv1.NewHandoffServiceClient(s.Dial(t, admin)).ListRosters(t.Context(), &leadpactv1.ListRostersRequest{})
	if err != nil || len(list.GetRosters()) != 2 || list.GetRosters()[0].GetActor() != "admin" {
		t.Errorf("after a start with the roster from before: %v, %v", list, err)
	}
}
