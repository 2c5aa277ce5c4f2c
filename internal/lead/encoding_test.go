package lead_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/lead"
)

// reference is the form of the encoding as encoding/json knows it: Marshal and Unmarshal know it by heart, and must not differ.
type reference struct {
	Format int `json:"format"`
	lead.Knowledge
}

func referenceUnmarshal(data []byte) (lead.Knowledge, error) {
	var r reference
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&r)
	if err == nil && r.Format != lead.Format {
		err = errors.New("another format")
	}
	return r.Knowledge, err
}

// The bytes stand in stores and go into hashes that stores are compared by: they never change within a format.
func TestEncodingIsAsItWas(t *testing.T) {
	t.Parallel()
	allowed := ordinary()
	allowed.Consents = map[string]lead.Word{
		lead.Contact: {At: at(1_700_000_000_123_000), Source: "crm", ID: "c-1"}, "marketing": {Granted: true, At: at(1_700_000_000_123_000), Source: "web", ID: "c-2"},
	}
	allowed.Phone = lead.Value{Value: "+1 555", Stamp: lead.Stamp{Rank: 2, Confidence: 0.6, OccurredAt: at(1_700_000_000_123_000), Source: "ads", ID: "c-3"}}
	for file, k := range map[string]lead.Knowledge{"testdata/knowledge.json": ordinary(), "testdata/consents.json": allowed} {
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := marshal(t, k); got != string(bytes.TrimSpace(golden)) {
			t.Errorf("knowledge is written as\n%s\nit was\n%s", got, golden)
		}
		if back, err := lead.Unmarshal(bytes.TrimSpace(golden)); err != nil || !reflect.DeepEqual(back, k) {
			t.Errorf("%s is read as\n%+v, %v\nwant\n%+v", file, back, err, k)
		}
	}
	if got := marshal(t, lead.Knowledge{}); got != `{"format":1}` {
		t.Errorf("no knowledge is written as %s", got)
	}
}

func TestEncodingIsJSON(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"", `"quoted"`, `back\slash`, "<b>&amp;", "line\nbreak", "\u2028", "José 李", "\xff", "a\x00b", "\x7f", "�",
	}))
	value := rapid.OneOf(
		rapid.Map(text, func(s string) any { return s }), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1e21, 1e-7, 0.1, 250, math.NaN(), math.Inf(1)})),
			func(n float64) any { return n }),
		rapid.SampledFrom([]any{nil, []any{"odd"}}),
	)
	instant := rapid.OneOf(
		rapid.SampledFrom([]time.Time{{}, at(0), at(1).In(time.FixedZone("", 3600)), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}),
		rapid.Map(rapid.Int64Range(0, 4e15), at),
	)
	rapid.Check(t, func(t *rapid.T) {
		k := fold(facts().Draw(t, "facts")...)
		moment := func(label string) lead.Moment {
			return lead.Moment{At: instant.Draw(t, label), Source: text.Draw(t, label), ID: text.Draw(t, label), Channel: text.Draw(t, label)}
		}
		if rapid.Bool().Draw(t, "odd") {
			k.First, k.Last, k.Latest = moment("first"), moment("last"), instant.Draw(t, "latest")
			k.Name = lead.Value{Value: value.Draw(t, "name"), Stamp: lead.Stamp{
				Rank: rapid.Int().Draw(t, "rank"), Confidence: rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 0.6, 1e-7, math.NaN()})).Draw(t, "confidence"),
				OccurredAt: instant.Draw(t, "at"), Source: text.Draw(t, "source"), ID: text.Draw(t, "id"),
			}}
			k.Fields = map[string]lead.Value{text.Draw(t, "field"): {Value: value.Draw(t, "value")}, "size": {}}
			k.Deeds = map[string][]lead.Deed{"none": nil, "empty": {}, text.Draw(t, "kind"): {
				{At: instant.Draw(t, "at"), Rep: text.Draw(t, "rep"), Cycle: rapid.Uint32().Draw(t, "cycle"), Recycles: rapid.Bool().Draw(t, "recycles")},
			}}
			k.Consents = map[string]lead.Word{text.Draw(t, "purpose"): {
				Granted: rapid.Bool().Draw(t, "granted"), At: instant.Draw(t, "said"), Source: text.Draw(t, "source"), ID: text.Draw(t, "id"),
			}}
			k.Engaged = map[string][]lead.Bin{text.Draw(t, "rule"): {{E: rapid.Int64().Draw(t, "e"), Sum: rapid.Int64().Draw(t, "sum")}, {}}}
		}
		want, wantErr := json.Marshal(reference{lead.Format, k})
		got, err := k.Marshal()
		if (err != nil) != (wantErr != nil) || !bytes.Equal(got, want) {
			t.Fatalf("it is written as\n%s, %v\nJSON is\n%s, %v", got, err, want, wantErr)
		}
		if err == nil {
			same(t, got)
		}
	})
}

// same demands that bytes are read as encoding/json reads them.
func same(t interface{ Fatalf(string, ...any) }, data []byte) {
	want, wantErr := referenceUnmarshal(data)
	got, err := lead.Unmarshal(data)
	if (err != nil) != (wantErr != nil) || err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("%s\nis read as %+v, %v\nJSON says   %+v, %v", data, got, err, want, wantErr)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, k := range []lead.Knowledge{ordinary(), {}, fold(lead.Fact{
		Source: "web", ID: "2", Kind: lead.Touch, Phone: "1", Confidence: 0.25, OccurredAt: at(8),
		Consents: []lead.Consent{{Purpose: lead.Contact}, {Purpose: "marketing", Granted: true}},
	}), fold(lead.Fact{
		Source: "crm", ID: `"<1>"`, Kind: lead.Activity, Name: lead.Rejected, Reason: "not now", Rep: "r\u00e9p", Cycle: 3, OccurredAt: at(7),
		Fields: map[string]any{"size": 1e-7, "customer": true, "country": "a\\b"},
	})} {
		f.Add([]byte(marshal(f, k)))
	}
	f.Add([]byte(`{"format":1,"latest":""}`))
	f.Add([]byte(`{"format":1,"latest":"2026\u002d01-01T00:00:00Z"}`))
	f.Add([]byte(`{"format":1,"engaged":{"b":[{"e":01,"s":1}],"a":[]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 0 {
			same(t, data)
		}
	})
}

// What is ordinary is read and written without encoding/json, which takes 70 allocations to read it and 28 to write it.
func TestOrdinaryKnowledgeIsReadAndWrittenByHeart(t *testing.T) {
	k := ordinary()
	data := []byte(marshal(t, k))
	if n := testing.AllocsPerRun(100, func() { _, _ = k.Marshal() }); n > 5 {
		t.Errorf("writing takes %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = lead.Unmarshal(data) }); n > 25 {
		t.Errorf("reading takes %v allocations", n)
	}
}
