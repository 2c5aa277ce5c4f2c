package lead_test

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/lead"
)

// terms are those of a small agreement: three fields, three rules.
type terms struct{}

func (terms) Rank(field, source string) int {
	if field == "size" && source == "crm" {
		return 0
	}
	return 1
}

func (terms) Declared(field string, value any) bool {
	switch field {
	case "size":
		_, is := value.(float64)
		return is
	case "country":
		_, is := value.(string)
		return is
	case "customer":
		_, is := value.(bool)
		return is
	}
	return false
}

func (terms) Engage(f lead.Fact) []lead.Gain {
	gains := []lead.Gain{{Rule: "any touch", Points: 1}}
	switch f.Name {
	case "form":
		gains = append(gains, lead.Gain{Rule: "form", Points: 30, HalfLife: 14 * 24 * time.Hour})
	case "unsubscribed":
		gains = append(gains, lead.Gain{Rule: "form", Points: -30, HalfLife: 14 * 24 * time.Hour})
	case "click":
		// A half-life this short sends most bins out of the window.
		gains = append(gains, lead.Gain{Rule: "click", Points: 0.1, HalfLife: time.Hour})
	}
	return gains
}

func (terms) Recycles(reason string) bool { return reason == "not now" }

func (terms) Purpose(name string) bool { return name == "marketing" }

func at(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

func sources() *rapid.Generator[string] { return rapid.SampledFrom([]string{"web", "crm", "ads"}) }

// facts are distinct by (source, id); instants repeat often, so that ties are met.
func facts() *rapid.Generator[[]lead.Fact] {
	one := rapid.Custom(func(t *rapid.T) lead.Fact {
		f := lead.Fact{
			Source: sources().Draw(t, "source"),
			OccurredAt: at(1_700_000_000_000_000 + rapid.OneOf(
				rapid.Map(rapid.Int64Range(0, 5), func(n int64) int64 { return n * 86_400_000_000 }),
				rapid.Int64Range(0, 400*86_400_000_000),
			).Draw(t, "at")),
			FullName: rapid.SampledFrom([]string{"", "Ada", "A. L."}).Draw(t, "name"),
			Channel:  rapid.SampledFrom([]string{"", "paid", "organic"}).Draw(t, "channel"),
			Rep:      rapid.SampledFrom([]string{"", "r1"}).Draw(t, "rep"),
			Fields:   map[string]any{},
		}
		f.Kind = rapid.SampledFrom([]lead.Kind{lead.Touch, lead.Touch, lead.Outcome, lead.Activity}).Draw(t, "kind")
		if f.Kind == lead.Touch {
			f.Name = rapid.SampledFrom([]string{"form", "click", "unsubscribed", "visit"}).Draw(t, "touch")
		} else {
			f.Name = rapid.SampledFrom([]string{lead.Attempt, lead.Won, lead.Rejected, "unheard of"}).Draw(t, "deed")
			f.Reason = rapid.SampledFrom([]string{"", "not now"}).Draw(t, "reason")
		}
		if f.Kind == lead.Activity {
			f.Cycle = rapid.Uint32Range(1, 3).Draw(t, "cycle")
		}
		if rapid.Bool().Draw(t, "sized") {
			f.Fields["size"] = rapid.Float64().Draw(t, "size")
		}
		if rapid.Bool().Draw(t, "placed") {
			f.Fields["country"] = rapid.String().Draw(t, "country")
		}
		f.Confidence = rapid.SampledFrom([]float64{0, 0, 0.6, 0.9, 1}).Draw(t, "confidence")
		for range rapid.IntRange(0, 2).Draw(t, "consents") {
			f.Consents = append(f.Consents, lead.Consent{
				Purpose: rapid.SampledFrom([]string{lead.Contact, "marketing", "undeclared"}).Draw(t, "purpose"), Granted: rapid.Bool().Draw(t, "granted"),
			})
		}
		return f
	})
	return rapid.Custom(func(t *rapid.T) []lead.Fact {
		out := rapid.SliceOfN(one, 0, 60).Draw(t, "facts")
		for i := range out {
			out[i].ID = fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "id"), "-", i)
		}
		return out
	})
}

func marshal(t interface{ Fatalf(string, ...any) }, k lead.Knowledge) string {
	data, err := k.Marshal()
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	return string(data)
}

func fold(facts ...lead.Fact) lead.Knowledge { return lead.Fold(terms{}, lead.Knowledge{}, facts...) }
