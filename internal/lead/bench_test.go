package lead_test

import (
	"fmt"
	"testing"

	"github.com/leadpact/leadpact/internal/lead"
)

// ordinary is what is known of a lead after a dozen facts.
func ordinary() lead.Knowledge {
	var facts []lead.Fact
	for i := range 12 {
		f := lead.Fact{
			Source: "web", ID: fmt.Sprintf("01JB3ZK2V8Q6T4-%d", i), Kind: lead.Touch, Name: []string{"form", "click", "visit"}[i%3],
			OccurredAt: at(1_700_000_000_123_000 + int64(i)*90_000_000_000), Channel: "paid", Email: "ada@example.com", FullName: "Ada Lovelace",
			Fields: map[string]any{"size": 250.0, "country": "DE", "customer": false},
		}
		if i == 10 {
			f.Kind, f.Name, f.Source, f.Rep = lead.Outcome, lead.Won, "crm", "ada"
		}
		facts = append(facts, f)
	}
	return fold(facts...)
}

func BenchmarkMarshal(b *testing.B) {
	k := ordinary()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Marshal(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	data := []byte(marshal(b, ordinary()))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := lead.Unmarshal(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFold(b *testing.B) {
	k := ordinary()
	f := lead.Fact{Source: "web", ID: "next", Kind: lead.Touch, Name: "form", OccurredAt: at(1_702_000_000_000_000), Fields: map[string]any{"size": 260.0}}
	b.ReportAllocs()
	for b.Loop() {
		if lead.Fold(terms{}, k, f).Latest != f.OccurredAt {
			b.Fatal("not folded")
		}
	}
}
