package lead

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// scanner reads what writer wrote, and only that: no space, no other order, no other way to write a number. Whatever else comes is
// odd, and encoding/json reads it, or says what is wrong. The texts in the Knowledge share one string.
type scanner struct {
	data []byte
	text string // the same
	at   int
	odd  bool
	// The instant read last: most of what a fact says bears its instant.
	instantText string
	instantTime time.Time
}

func (s *scanner) knowledge() Knowledge {
	var k Knowledge
	s.want(`{"format":`)
	if s.integer() != Format {
		s.odd = true
	}
	if s.skip(`,"first":`) {
		k.First = s.moment()
	}
	if s.skip(`,"last":`) {
		k.Last = s.moment()
	}
	if s.skip(`,"latest":`) {
		k.Latest = s.instant()
	}
	if s.skip(`,"name":`) {
		k.Name = s.value()
	}
	if s.skip(`,"email":`) {
		k.Email = s.value()
	}
	if s.skip(`,"phone":`) {
		k.Phone = s.value()
	}
	if s.skip(`,"fields":`) {
		k.Fields = scanObject(s, s.value)
	}
	if s.skip(`,"deeds":`) {
		k.Deeds = scanObject(s, func() []Deed { return scanArray(s, s.deed) })
	}
	if s.skip(`,"engaged":`) {
		k.Engaged = scanObject(s, func() []Bin { return scanArray(s, s.bin) })
	}
	if s.skip(`,"consents":`) {
		k.Consents = scanObject(s, s.word)
	}
	s.want(`}`)
	return k
}

func scanObject[V any](s *scanner, element func() V) map[string]V {
	out := map[string]V{}
	s.want(`{`)
	for last := ""; !s.odd; {
		key := s.string()
		if len(out) > 0 && key <= last {
			s.odd = true
		}
		s.want(`:`)
		out[key], last = element(), key
		if !s.skip(`,`) {
			break
		}
	}
	s.want(`}`)
	return out
}

func scanArray[E any](s *scanner, element func() E) []E {
	s.want(`[`)
	if s.skip(`]`) {
		return []E{}
	}
	out := make([]E, 0, 1)
	for !s.odd {
		out = append(out, element())
		if !s.skip(`,`) {
			break
		}
	}
	s.want(`]`)
	return out
}

func (s *scanner) moment() Moment {
	var m Moment
	s.want(`{"at":`)
	m.At = s.instant()
	s.want(`,"source":`)
	m.Source = s.string()
	s.want(`,"id":`)
	m.ID = s.string()
	if s.skip(`,"channel":`) {
		m.Channel = s.string()
	}
	s.want(`}`)
	return m
}

func (s *scanner) value() Value {
	var v Value
	s.want(`{"value":`)
	switch {
	case s.skip(`true`):
		v.Value = true
	case s.skip(`false`):
		v.Value = false
	case s.at < len(s.data) && s.data[s.at] == '"':
		v.Value = s.string()
	default:
		v.Value = s.number()
	}
	s.want(`,"stamp":{"rank":`)
	rank := s.integer()
	if v.Stamp.Rank = int(rank); int64(v.Stamp.Rank) != rank {
		s.odd = true
	}
	if s.skip(`,"confidence":`) {
		v.Stamp.Confidence = s.number()
	}
	s.want(`,"at":`)
	v.Stamp.OccurredAt = s.instant()
	s.want(`,"source":`)
	v.Stamp.Source = s.string()
	s.want(`,"id":`)
	v.Stamp.ID = s.string()
	s.want(`}}`)
	return v
}

func (s *scanner) deed() Deed {
	var d Deed
	s.want(`{"at":`)
	d.At = s.instant()
	s.want(`,"source":`)
	d.Source = s.string()
	s.want(`,"id":`)
	d.ID = s.string()
	if s.skip(`,"rep":`) {
		d.Rep = s.string()
	}
	if s.skip(`,"cycle":`) {
		cycle := s.integer()
		if cycle < 0 || cycle > math.MaxUint32 {
			s.odd = true
			return Deed{}
		}
		d.Cycle = uint32(cycle)
	}
	d.Recycles = s.skip(`,"recycles":true`)
	s.want(`}`)
	return d
}

func (s *scanner) bin() Bin {
	var b Bin
	s.want(`{"e":`)
	b.E = s.integer()
	s.want(`,"s":`)
	b.Sum = s.integer()
	s.want(`}`)
	return b
}

func (s *scanner) word() Word {
	var w Word
	s.want(`{"granted":`)
	if w.Granted = s.skip(`true`); !w.Granted {
		s.want(`false`)
	}
	s.want(`,"at":`)
	w.At = s.instant()
	s.want(`,"source":`)
	w.Source = s.string()
	s.want(`,"id":`)
	w.ID = s.string()
	s.want(`}`)
	return w
}

// skip passes token if it stands here.
func (s *scanner) skip(token string) bool {
	if !strings.HasPrefix(s.text[s.at:], token) {
		return false
	}
	s.at += len(token)
	return true
}

// want passes token, which must stand here.
func (s *scanner) want(token string) {
	if !s.skip(token) {
		s.odd = true
	}
}

// digits passes the characters of a number.
func (s *scanner) digits() string {
	from := s.at
	for s.at < len(s.data) && (s.data[s.at] >= '0' && s.data[s.at] <= '9' || s.data[s.at] == '-' || s.data[s.at] == '.') {
		s.at++
	}
	return s.text[from:s.at]
}

func (s *scanner) integer() int64 {
	digits := s.digits()
	n, err := strconv.ParseInt(digits, 10, 64)
	var room [24]byte
	if err != nil || string(strconv.AppendInt(room[:0], n, 10)) != digits {
		s.odd = true
	}
	return n
}

func (s *scanner) number() float64 {
	digits := s.digits()
	n, err := strconv.ParseFloat(digits, 64)
	var room [32]byte
	if err != nil || string(strconv.AppendFloat(room[:0], n, 'f', -1, 64)) != digits {
		s.odd = true
	}
	return n
}

func (s *scanner) instant() time.Time {
	text, ok := s.quoted()
	if text != "" && text == s.instantText || !ok {
		return s.instantTime
	}
	s.instantText, s.instantTime = text, time.Time{}
	if err := s.instantTime.UnmarshalText(s.data[s.at-1-len(text) : s.at-1]); err != nil {
		s.odd = true
	}
	return s.instantTime
}

func (s *scanner) string() string {
	from := s.at
	text, ok := s.quoted()
	if ok && !verbatim(text) {
		s.at = from
		return s.escaped()
	}
	return text
}

// quoted passes what stands between this quote and the next.
func (s *scanner) quoted() (text string, ok bool) {
	if s.skip(`"`) {
		if text, _, ok = strings.Cut(s.text[s.at:], `"`); ok {
			s.at += len(text) + 1
			return text, true
		}
	}
	s.odd = true
	return "", false
}

// escaped reads a text with a backslash in it.
func (s *scanner) escaped() string {
	end := s.at + 1
	for end < len(s.data) && s.data[end] != '"' {
		if s.data[end] == '\\' {
			end++
		}
		end++
	}
	var text string
	if end >= len(s.data) || json.Unmarshal(s.data[s.at:end+1], &text) != nil {
		s.odd = true
		return ""
	}
	s.at = end + 1
	return text
}
