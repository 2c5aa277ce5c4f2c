package verify

import (
	"bytes"
	"context"
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
)

// entries calls f for every line of a shard.
func (v *verifier) entries(ctx context.Context, shard int, typ string, f func(store.Entry) error) error {
	const page = 1000
	for after := int64(0); ; {
		rows, err := v.compliance.Entries(ctx, shard, after, typ, page)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := f(row); err != nil {
				return err
			}
			after = row.Seq
		}
		if len(rows) < page {
			return nil
		}
	}
}

func ledgerChained(ctx context.Context, v *verifier) (int, faults, error) {
	var f faults
	looked := 0
	stored, err := v.compliance.Heads(ctx)
	if err != nil {
		return 0, f, err
	}
	heads := make([]store.Head, ledger.Shards) // a shard without a head must have no line either
	for _, h := range stored {
		if h.Shard >= 0 && h.Shard < len(heads) {
			heads[h.Shard] = h
		}
	}
	for shard, head := range heads {
		at := store.Head{Shard: shard}
		err := v.entries(ctx, shard, "", func(e store.Entry) error {
			if e.Seq > head.Seq && len(head.Hash) > 0 { // written since the head was read
				return nil
			}
			looked++
			next, err := ledger.Follow(at, e)
			if err != nil {
				f.add("%v", err)
				next = store.Head{Shard: shard, Seq: e.Seq, Hash: e.Hash} // the lines after it may be whole
			}
			at = next
			return nil
		})
		if err != nil {
			return 0, f, err
		}
		if at.Seq != head.Seq || !bytes.Equal(at.Hash, head.Hash) {
			f.add("shard %d: it ends at line %d, its head says %d", shard, at.Seq, head.Seq)
		}
	}
	return looked, f, nil
}

func talliesCount(ctx context.Context, v *verifier) (int, faults, error) {
	type key struct{ name, labels string }
	var f faults
	looked := 0
	counted := map[key]float64{}
	for shard := range ledger.Shards {
		err := v.entries(ctx, shard, "", func(entry store.Entry) error {
			var e eventv1.Event
			if err := proto.Unmarshal(entry.Data, &e); err != nil {
				return err
			}
			looked++
			for _, t := range ledger.Judge(&e).Tallies {
				counted[key{t.Name, t.Labels}] += t.Value
			}
			return nil
		})
		if err != nil {
			return 0, f, err
		}
	}
	tallies, err := v.compliance.Tallies(ctx, -1)
	if err != nil {
		return 0, f, err
	}
	for _, t := range tallies {
		k := key{t.Name, t.Labels}
		// Sums of seconds are added in another order here.
		if math.Abs(counted[k]-t.Value) > 1e-6*max(1, math.Abs(t.Value)) {
			f.add("%s{%s} is %v, the ledger counts %v", t.Name, t.Labels, t.Value, counted[k])
		}
		delete(counted, k)
	}
	for k, n := range counted {
		if n != 0 {
			f.add("%s{%s} is missing, the ledger counts %v", k.name, k.labels, n)
		}
	}
	return looked, f, nil
}
