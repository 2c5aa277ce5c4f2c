package lead

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// writer writes a Knowledge to the byte as encoding/json writes encoded, without reflection: every event of a lead writes it once.
type writer struct {
	out []byte
	// odd is set by what it cannot write; then encoding/json writes all of it, or says why nobody can.
	odd bool
}

func (w *writer) knowledge(k Knowledge) {
	w.raw(`{"format":`)
	w.integer(Format)
	if k.First != (Moment{}) {
		w.raw(`,"first":`)
		w.moment(k.First)
	}
	if k.Last != (Moment{}) {
		w.raw(`,"last":`)
		w.moment(k.Last)
	}
	if !k.Latest.IsZero() {
		w.raw(`,"latest":`)
		w.instant(k.Latest)
	}
	w.contact(`,"name":`, k.Name)
	w.contact(`,"email":`, k.Email)
	w.contact(`,"phone":`, k.Phone)
	if len(k.Fields) > 0 {
		w.raw(`,"fields":`)
		object(w, k.Fields, w.value)
	}
	if len(k.Deeds) > 0 {
		w.raw(`,"deeds":`)
		object(w, k.Deeds, func(all []Deed) { array(w, all, w.deed) })
	}
	if len(k.Engaged) > 0 {
		w.raw(`,"engaged":`)
		object(w, k.Engaged, func(all []Bin) { array(w, all, w.bin) })
	}
	if len(k.Consents) > 0 {
		w.raw(`,"consents":`)
		object(w, k.Consents, w.word)
	}
	w.raw(`}`)
}

// object writes a map in the order of its keys.
func object[V any](w *writer, m map[string]V, element func(V)) {
	var room [32]string
	keys := slices.AppendSeq(room[:0], maps.Keys(m))
	slices.Sort(keys)
	before := byte('{')
	for _, key := range keys {
		w.out = append(w.out, before)
		w.string(key)
		w.out = append(w.out, ':')
		element(m[key])
		before = ','
	}
	w.raw(`}`)
}

func array[E any](w *writer, all []E, element func(E)) {
	if all == nil {
		w.raw(`null`)
		return
	}
	w.raw(`[`)
	for i, e := range all {
		if i > 0 {
			w.raw(`,`)
		}
		element(e)
	}
	w.raw(`]`)
}

func (w *writer) moment(m Moment) {
	w.raw(`{"at":`)
	w.instant(m.At)
	w.raw(`,"source":`)
	w.string(m.Source)
	w.raw(`,"id":`)
	w.string(m.ID)
	if m.Channel != "" {
		w.raw(`,"channel":`)
		w.string(m.Channel)
	}
	w.raw(`}`)
}

func (w *writer) contact(name string, v Value) {
	if v.Value != nil || v.Stamp != (Stamp{}) {
		w.raw(name)
		w.value(v)
	}
}

func (w *writer) value(v Value) {
	w.raw(`{"value":`)
	switch x := v.Value.(type) {
	case string:
		w.string(x)
	case float64:
		w.number(x)
	case bool:
		w.out = strconv.AppendBool(w.out, x)
	default:
		w.odd = true
	}
	w.raw(`,"stamp":{"rank":`)
	w.integer(int64(v.Stamp.Rank))
	if v.Stamp.Confidence != 0 {
		w.raw(`,"confidence":`)
		w.number(v.Stamp.Confidence)
	}
	w.raw(`,"at":`)
	w.instant(v.Stamp.OccurredAt)
	w.raw(`,"source":`)
	w.string(v.Stamp.Source)
	w.raw(`,"id":`)
	w.string(v.Stamp.ID)
	w.raw(`}}`)
}

func (w *writer) deed(d Deed) {
	w.raw(`{"at":`)
	w.instant(d.At)
	w.raw(`,"source":`)
	w.string(d.Source)
	w.raw(`,"id":`)
	w.string(d.ID)
	if d.Rep != "" {
		w.raw(`,"rep":`)
		w.string(d.Rep)
	}
	if d.Cycle != 0 {
		w.raw(`,"cycle":`)
		w.integer(int64(d.Cycle))
	}
	if d.Recycles {
		w.raw(`,"recycles":true`)
	}
	w.raw(`}`)
}

func (w *writer) bin(b Bin) {
	w.raw(`{"e":`)
	w.integer(b.E)
	w.raw(`,"s":`)
	w.integer(b.Sum)
	w.raw(`}`)
}

func (w *writer) word(word Word) {
	w.raw(`{"granted":`)
	w.out = strconv.AppendBool(w.out, word.Granted)
	w.raw(`,"at":`)
	w.instant(word.At)
	w.raw(`,"source":`)
	w.string(word.Source)
	w.raw(`,"id":`)
	w.string(word.ID)
	w.raw(`}`)
}

func (w *writer) raw(s string) { w.out = append(w.out, s...) }

func (w *writer) integer(n int64) { w.out = strconv.AppendInt(w.out, n, 10) }

// number writes what encoding/json writes without an exponent; the others are rare.
func (w *writer) number(n float64) {
	if magnitude := math.Abs(n); magnitude != 0 && !(magnitude >= 1e-6 && magnitude < 1e21) {
		w.foreign(n)
		return
	}
	w.out = strconv.AppendFloat(w.out, n, 'f', -1, 64)
}

func (w *writer) instant(t time.Time) {
	w.raw(`"`)
	out, err := t.AppendText(w.out)
	if err != nil {
		w.odd = true
		return
	}
	w.out = out
	w.raw(`"`)
}

func (w *writer) string(s string) {
	if !verbatim(s) {
		w.foreign(s)
		return
	}
	w.raw(`"`)
	w.raw(s)
	w.raw(`"`)
}

// foreign leaves one value to encoding/json.
func (w *writer) foreign(v any) {
	data, err := json.Marshal(v)
	if err != nil {
		w.odd = true
	}
	w.out = append(w.out, data...)
}

// verbatim says whether JSON writes the text as it is, between quotes. encoding/json also escapes what could end a script in a page.
func verbatim(s string) bool {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if ascii {
		return true
	}
	for i, r := range s {
		switch r {
		case '\u2028', '\u2029':
			return false
		case utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
	}
	return true
}
