package compliance

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
)

const failures = "leadpact_ledger_scrape_failures_total"

// scraped is what /metrics showed, by series: a name with its labels, without the shard.
type scraped struct {
	value  map[string]float64         // summed over shards
	shards map[string]map[string]bool // of a series: where it was seen
	labels map[string]bool            // every label's name
	values map[string]bool            // every label's value
}

// scrape asks over HTTP, as Prometheus does.
func scrape(t *testing.T, r replica) scraped {
	t.Helper()
	server := httptest.NewServer(promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{}))
	defer server.Close()
	res, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("the scrape failed: %s", res.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := scraped{map[string]float64{}, map[string]map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			out.add(name, m)
		}
	}
	return out
}

func (s scraped) add(name string, m *dto.Metric) {
	labels, shard := map[string]string{}, ""
	for _, l := range m.GetLabel() {
		s.labels[l.GetName()], s.values[l.GetValue()] = true, true
		if l.GetName() == "shard" {
			shard = l.GetValue()
			continue
		}
		labels[l.GetName()] = l.GetValue()
	}
	key := seriesName(name, labels)
	s.value[key] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	if s.shards[key] == nil {
		s.shards[key] = map[string]bool{}
	}
	s.shards[key][shard] = true
}

func seriesName(name string, labels map[string]string) string {
	var pairs []string
	for _, n := range slices.Sorted(maps.Keys(labels)) {
		if labels[n] != "" { // for Prometheus an empty label is none
			pairs = append(pairs, fmt.Sprintf("%s=%q", n, labels[n]))
		}
	}
	return name + "{" + strings.Join(pairs, ",") + "}"
}

// asked is what GetMetrics answers, in the form of a scrape.
func asked(t *testing.T, client leadpactv1.ComplianceServiceClient) map[string]float64 {
	t.Helper()
	answer, err := client.GetMetrics(t.Context(), &leadpactv1.GetMetricsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, m := range answer.GetMetrics() {
		key := seriesName(m.GetName(), m.GetLabels())
		if _, twice := out[key]; twice {
			t.Errorf("%s is told twice", key)
		}
		out[key] = m.GetValue()
	}
	return out
}

func TestGetMetricsIsWhatAScrapeShows(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		if _, err := a.ActivateText(t.Context(), Activation{Text: unsigned(t), Actor: "dana", Trial: true}); err != nil {
			t.Fatal(err)
		}
		apply(t, a, story(seeded(t), 80)...)
		a.shards.acquire(t.Context())
		got := scrape(t, a).value
		if n := got[failures+"{}"]; n != 0 {
			t.Errorf("%v scrapes failed", n)
		}
		delete(got, failures+"{}") // of the process, not of the ledger
		want := asked(t, leadpactv1.NewComplianceServiceClient(serve(t, a)(identity.Rep)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("gRPC and /metrics differ (-gRPC +/metrics):\n%s", diff)
		}
		if want[`leadpact_clocks_open{clock="call",team="north"}`] == 0 || want[auditName+"{}"] == 0 {
			t.Errorf("the story left no clock open, so little was compared: %v", want)
		}
	})
}

func TestMetricsAreWellNamedAndNameNobody(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		events := story(seeded(t), 40)
		apply(t, a, events...)
		a.shards.acquire(t.Context())
		problems, err := testutil.GatherAndLint(a.registry)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
		seen := scrape(t, a)
		allowed := []string{"channel", "clock", "grade", "mode", "pool", "reason", "shard", "stage", "team", "type", "verdict"}
		for name := range seen.labels {
			if !slices.Contains(allowed, name) {
				t.Errorf("a metric has the label %q", name)
			}
		}
		for _, e := range events {
			terms := e.GetHandoffAssigned().GetTerms()
			for _, id := range []string{e.GetLead(), e.GetId(), terms.GetRep(), terms.GetAssignment(), e.GetClockStarted().GetClock().GetId()} {
				if id != "" && seen.values[id] {
					t.Errorf("a label's value is %q", id)
				}
			}
		}
	})
}

// TestShardsAreShownByOneReplica: sums over replicas are true.
func TestShardsAreShownByOneReplica(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, p place) {
		a, b := newReplica(t, s, "a"), newReplica(t, p.another(t), "b")
		apply(t, a, story(seeded(t), 60)...)
		a.shards.acquire(t.Context())
		b.shards.acquire(t.Context())
		if got := scrape(t, b).value; len(got) != 1 {
			t.Errorf("both show: the second shows %v", got)
		}
		before := scrape(t, a).value

		// a is held up for longer than its leases last: it shows nothing from then on, before it has even looked.
		a.shards.now = func() time.Time { return time.Now().Add(leaseTTL) }
		if got := a.shards.list(); len(got) > 0 {
			t.Errorf("a replica that was held up still shows shards %v", got)
		}
		// It renews, then stops: the other takes over at once, with the same numbers.
		a.shards.now = time.Now
		a.shards.acquire(t.Context())
		a.shards.release(t.Context())
		if got := a.shards.list(); len(got) > 0 {
			t.Errorf("a replica that has stopped shows shards %v", got)
		}
		b.shards.acquire(t.Context())
		if diff := cmp.Diff(before, scrape(t, b).value); diff != "" {
			t.Errorf("after the take-over (-before +after):\n%s", diff)
		}
	})
}

// unwilling is a store that grants and renews no lease while it is told so.
type unwilling struct {
	store.Compliance
	mu  sync.Mutex
	err error
	// asked gets the shard after each call.
	asked func(shard int)
}

func (u *unwilling) Acquire(ctx context.Context, name string, shard int, owner string, ttl time.Duration) (bool, int64, error) {
	u.mu.Lock()
	err := u.err
	u.mu.Unlock()
	if err != nil {
		return false, 0, err
	}
	held, epoch, err := u.Compliance.Acquire(ctx, name, shard, owner, ttl)
	if u.asked != nil {
		u.asked(shard)
	}
	return held, epoch, err
}

func TestALeaseThatCannotBeRenewedLastsForItsTime(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		u := &unwilling{Compliance: s}
		a := newReplica(t, u, "a")
		now := time.Now()
		a.shards.now = func() time.Time { return now }
		a.shards.acquire(t.Context())
		u.err = store.ErrConflict
		now = now.Add(leaseTTL - time.Millisecond)
		a.shards.acquire(t.Context())
		if got := len(a.shards.list()); got != ledger.Shards {
			t.Errorf("%d shards are shown while the leases last, want %d", got, ledger.Shards)
		}
		now = now.Add(time.Millisecond)
		if got := a.shards.list(); len(got) > 0 {
			t.Errorf("shards %v are shown after the leases ended", got)
		}
	})
}

func TestRunHoldsTheLeasesAndGivesThemBack(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, p place) {
		last := make(chan struct{}, 64)
		u := &unwilling{Compliance: s, asked: func(shard int) {
			if shard == ledger.Shards-1 {
				last <- struct{}{}
			}
		}}
		a, b := newReplica(t, u, "a"), newReplica(t, p.another(t), "b")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		<-last
		b.shards.acquire(t.Context())
		if got := b.shards.list(); len(got) > 0 {
			t.Errorf("shards %v were taken from a live replica", got)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		b.shards.acquire(t.Context())
		if got := len(b.shards.list()); got != ledger.Shards {
			t.Errorf("%d shards could be taken after the other stopped, want %d", got, ledger.Shards)
		}
	})
}

func TestCountersNeverFall(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, p place) {
		r := seeded(t)
		events := story(r, 80)
		last := map[string]float64{}
		look := func(a replica) {
			t.Helper()
			a.shards.acquire(t.Context())
			now := scrape(t, a).value
			for key, v := range last {
				name, _, _ := strings.Cut(key, "{")
				if now[key] < v && !ledger.Metrics()[name].Gauge && name != auditName {
					t.Errorf("%s fell from %v to %v", key, v, now[key])
				}
			}
			last = now
		}
		a := newReplica(t, s, "a")
		for _, batch := range batches(r, events, 40) {
			apply(t, a, batch...)
			look(a)
		}
		after := newReplica(t, p.restarted(t), "a")
		look(after)
		apply(t, after, events...)
		look(after)
	})
}

func TestAuditFindsAHiddenOverdueClock(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, s, "a")
		a.shards.acquire(t.Context())
		overdueClocks := func() float64 { return scrape(t, a).value[auditName+"{}"] }
		start := func(id string, due time.Time) *eventv1.Event {
			e := breachOf(id, 0)
			c := e.GetClockBreached().GetClock()
			c.Id, c.DueAt = id, due.UnixMicro()
			e.Id, e.Body = id+"/started", &eventv1.Event_ClockStarted{ClockStarted: &eventv1.ClockStarted{Clock: c}}
			return e
		}
		end := func(id string) *eventv1.Event {
			e := breachOf(id, 0)
			e.GetClockBreached().Clock.Id = id
			return e
		}
		now, err := s.Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		apply(t, a, start("running", now.Add(time.Hour)), start("just due", now))
		if got := overdueClocks(); got != 0 {
			t.Errorf("%v clocks are overdue, none should be", got)
		}
		apply(t, a, start("hidden", now.Add(-time.Minute)), start("found", now.Add(-time.Minute)))
		if got := overdueClocks(); got != 2 {
			t.Errorf("%v clocks are overdue, want 2", got)
		}
		apply(t, a, end("found"))
		if got := overdueClocks(); got != 1 {
			t.Errorf("%v clocks are overdue, want 1", got)
		}
		apply(t, a, end("late news")) // the end comes before the start
		apply(t, a, start("late news", now.Add(-time.Hour)))
		if got := overdueClocks(); got != 1 {
			t.Errorf("%v clocks are overdue after news in the wrong order, want 1", got)
		}
	})
}

// broken is a store that cannot read tallies.
type broken struct{ store.Compliance }

func (broken) Tallies(context.Context, int) ([]store.Tally, error) {
	return nil, context.DeadlineExceeded
}

func TestAScrapeThatFailsIsCounted(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		a := newReplica(t, broken{s}, "a")
		a.shards.acquire(t.Context())
		if got := scrape(t, a).value; len(got) != 1 || got[failures+"{}"] != ledger.Shards {
			t.Errorf("got %v, want %d failures and nothing that is half right", got, ledger.Shards)
		}
	})
}
