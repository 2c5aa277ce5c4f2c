package lead_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/lead"
)

// Any order of the same facts, with any of them repeated, gives the same bytes. A fold that ignores ids counts the repeated ones
// twice and fails here, in engagement and in deeds.
func TestOrderAndRepetitionDoNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := facts().Draw(t, "facts")
		want := marshal(t, fold(all...))
		again := all
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, 59), 0, 10).Draw(t, "repeated") {
			if i < len(all) {
				again = append(again[:len(again):len(again)], all[i])
			}
		}
		shuffled := rapid.Permutation(again).Draw(t, "order")
		if got := marshal(t, fold(shuffled...)); got != want {
			t.Fatalf("another order gave\n%s\nwant\n%s", got, want)
		}
	})
}

// Any cut of the facts into calls gives the same bytes.
func TestBatchingDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := facts().Draw(t, "facts")
		want := marshal(t, fold(all...))
		var k lead.Knowledge
		for rest := rapid.Permutation(all).Draw(t, "order"); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "batch")
			k, rest = lead.Fold(terms{}, k, rest[:n]...), rest[n:]
		}
		if got := marshal(t, k); got != want {
			t.Fatalf("other batches gave\n%s\nwant\n%s", got, want)
		}
	})
}

// Any tree of merges over any parting of the facts gives the same bytes, whichever side is left.
func TestMergesMakeNoDifference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := facts().Draw(t, "facts")
		want := marshal(t, fold(all...))
		parts := []lead.Knowledge{{}}
		for rest := rapid.Permutation(all).Draw(t, "order"); len(rest) > 0; {
			n := rapid.IntRange(1, min(4, len(rest))).Draw(t, "part")
			parts, rest = append(parts, fold(rest[:n]...)), rest[n:]
		}
		for len(parts) > 1 {
			i := rapid.IntRange(0, len(parts)-2).Draw(t, "left")
			a, b := parts[i], parts[i+1]
			if rapid.Bool().Draw(t, "swap") {
				a, b = b, a
			}
			before := marshal(t, a) + marshal(t, b)
			merged := lead.Merge(a, b)
			if marshal(t, a)+marshal(t, b) != before {
				t.Fatalf("Merge changed what it was given")
			}
			parts = append(append(parts[:i:i], merged), parts[i+2:]...)
		}
		if got := marshal(t, parts[0]); got != want {
			t.Fatalf("a tree of merges gave\n%s\nwant\n%s", got, want)
		}
	})
}

// Many touches, near the edge of the window: what one side has forgotten, the other side's newer touches would have made it forget.
func TestTheWindowIsTheSameInAnyParting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var parts [3][]lead.Fact
		var all []lead.Fact
		for i, minutes := range rapid.SliceOfN(rapid.Int64Range(0, 100*60), 60, 120).Draw(t, "minutes") {
			f := lead.Fact{Source: "web", ID: time.Duration(i).String(), Kind: lead.Touch, Name: "click",
				OccurredAt: at(1_700_000_000_000_000 + minutes*60_000_000)}
			n := rapid.IntRange(0, 2).Draw(t, "part")
			parts[n], all = append(parts[n], f), append(all, f)
		}
		want := marshal(t, fold(all...))
		a, b, c := fold(parts[0]...), fold(parts[1]...), fold(parts[2]...)
		for _, k := range []lead.Knowledge{lead.Merge(lead.Merge(a, b), c), lead.Merge(a, lead.Merge(b, c)), lead.Merge(lead.Merge(c, a), b)} {
			if got := marshal(t, k); got != want {
				t.Fatalf("a parting gave\n%s\nwant\n%s", got, want)
			}
		}
	})
}

// What is written is read back the same, and folding goes on from it as if it had never been away.
func TestEncodingKeepsEverything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := facts().Draw(t, "facts")
		n := rapid.IntRange(0, len(all)).Draw(t, "before")
		back, err := lead.Unmarshal([]byte(marshal(t, fold(all[:n]...))))
		if err != nil {
			t.Fatalf("unmarshal: %v", err)
		}
		if got, want := marshal(t, lead.Fold(terms{}, back, all[n:]...)), marshal(t, fold(all...)); got != want {
			t.Fatalf("after a round trip\n%s\nwant\n%s", got, want)
		}
	})
}

// The size of what is known does not grow with what is sent.
func TestSizeIsBounded(t *testing.T) {
	t.Parallel()
	var k lead.Knowledge
	size := 0
	for i := range 20_000 {
		k = lead.Fold(terms{}, k, lead.Fact{
			Source: "web", ID: time.Duration(i).String(), Kind: []lead.Kind{lead.Touch, lead.Outcome}[i%2],
			Name:       []string{"click", lead.Attempt, "form", lead.Won, "odd", "unheard of"}[i%6],
			OccurredAt: at(1_700_000_000_000_000 + int64(i)*3_600_000_000), Fields: map[string]any{"size": 1.0, "undeclared": "x"},
		})
		if i == 10_000 {
			size = len(marshal(t, k))
		}
	}
	if got := len(marshal(t, k)); got > size+size/10 {
		t.Errorf("knowledge has %d bytes after 20000 facts, %d after 10000", got, size)
	}
	if len(k.Engaged["click"]) > lead.Window || len(k.Deeds[lead.Won]) != lead.Remembered {
		t.Errorf("%d bins and %d deeds are kept", len(k.Engaged["click"]), len(k.Deeds[lead.Won]))
	}
}
