package compliance

import (
	"context"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
)

// GetMetrics implements leadpactv1.ComplianceServiceServer: what /metrics shows of the ledger, summed over all shards, and what
// stands.
func (s *Service) GetMetrics(ctx context.Context, _ *leadpactv1.GetMetricsRequest) (*leadpactv1.GetMetricsResponse, error) {
	tallies, err := s.cfg.Store.Tallies(ctx, -1)
	if err != nil {
		return nil, s.internal(ctx, "read the tallies", err)
	}
	shown := ledger.Metrics()
	slices.SortFunc(tallies, compareTally)
	out := &leadpactv1.GetMetricsResponse{}
	for _, t := range tallies {
		if _, ok := shown[t.Name]; ok {
			out.Metrics = append(out.Metrics, &leadpactv1.Metric{Name: t.Name, Labels: ledger.ParseLabels(t.Labels), Value: t.Value})
		}
	}
	standing, err := s.standing(ctx)
	if err != nil {
		return nil, s.internal(ctx, "read what stands", err)
	}
	for _, name := range slices.Sorted(maps.Keys(standing)) {
		out.Metrics = append(out.Metrics, &leadpactv1.Metric{Name: name, Value: standing[name]})
	}
	return out, nil
}

// GetAttainment implements leadpactv1.ComplianceServiceServer.
func (s *Service) GetAttainment(ctx context.Context, req *leadpactv1.GetAttainmentRequest) (*leadpactv1.GetAttainmentResponse, error) {
	var group ledger.Group
	switch req.GetGroupBy() {
	case leadpactv1.GroupBy_GROUP_BY_REP:
		group = ledger.ByRep
	case leadpactv1.GroupBy_GROUP_BY_TEAM:
		group = ledger.ByTeam
	case leadpactv1.GroupBy_GROUP_BY_CHANNEL:
		group = ledger.ByChannel
	case leadpactv1.GroupBy_GROUP_BY_UNSPECIFIED:
		return nil, status.Error(codes.InvalidArgument, "group_by is missing: rep, team or channel")
	default:
		return nil, status.Error(codes.InvalidArgument, "group_by is none of rep, team, channel")
	}
	tallies, err := s.cfg.Store.Tallies(ctx, -1)
	if err != nil {
		return nil, s.internal(ctx, "read the tallies", err)
	}
	return &leadpactv1.GetAttainmentResponse{Attainment: attainments(tallies, group), Deliveries: deliveries(tallies)}, nil
}

func attainments(tallies []store.Tally, group ledger.Group) []*leadpactv1.Attainment {
	type key struct{ key, clock string }
	rows := map[key]*leadpactv1.Attainment{}
	for _, t := range tallies {
		if t.Name != ledger.Attainment(group) {
			continue
		}
		l := ledger.ParseLabels(t.Labels)
		k := key{l["key"], l["clock"]}
		if rows[k] == nil {
			rows[k] = &leadpactv1.Attainment{Key: k.key, Clock: k.clock}
		}
		r, n := rows[k], int64(t.Value)
		switch l["verdict"] {
		case "started":
			r.Open += n
		case "met":
			r.Met, r.Open = r.GetMet()+n, r.GetOpen()-n
		case "breached":
			r.Breached, r.Open = r.GetBreached()+n, r.GetOpen()-n
		case "corrected":
			r.Corrected, r.Met, r.Breached = r.GetCorrected()+n, r.GetMet()+n, r.GetBreached()-n
		case "excused":
			r.Withdrawn, r.Breached = r.GetWithdrawn()+n, r.GetBreached()-n
		case "cancelled":
			r.Cancelled, r.Open = r.GetCancelled()+n, r.GetOpen()-n
		case "withdrawn":
			r.Withdrawn, r.Open = r.GetWithdrawn()+n, r.GetOpen()-n
		}
	}
	out := slices.SortedFunc(maps.Values(rows), func(a, b *leadpactv1.Attainment) int {
		return strings.Compare(a.GetKey()+"\n"+a.GetClock(), b.GetKey()+"\n"+b.GetClock())
	})
	for _, r := range out {
		r.Ratio = 1
		if judged := r.GetMet() + r.GetBreached(); judged > 0 {
			r.Ratio = float64(r.GetMet()) / float64(judged)
		}
	}
	return out
}

func deliveries(tallies []store.Tally) []*leadpactv1.Delivery {
	rows := map[string]*leadpactv1.Delivery{}
	for _, t := range tallies {
		if t.Name != ledger.StageEntries {
			continue
		}
		l := ledger.ParseLabels(t.Labels)
		ch := l["channel"]
		if rows[ch] == nil {
			rows[ch] = &leadpactv1.Delivery{Channel: ch, Stages: map[string]int64{}}
		}
		rows[ch].Stages[l["stage"]] += int64(t.Value)
	}
	return slices.SortedFunc(maps.Values(rows), func(a, b *leadpactv1.Delivery) int {
		return strings.Compare(a.GetChannel(), b.GetChannel())
	})
}

func compareTally(a, b store.Tally) int {
	if a.Shard != b.Shard {
		return a.Shard - b.Shard
	}
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.Labels, b.Labels)
}
