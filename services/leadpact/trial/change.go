package trial

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/lead"
)

// Change is a change of one thing about a lead.
type Change struct {
	// What is field, consent, touch, channel, source or deed.
	What string `json:"what"`
	// Name of the field, the purpose, the touch's kind or the deed.
	Name string `json:"name,omitempty"`
	// From and To are values of a field, a consent, a channel or a source; nil is not known.
	From any `json:"from,omitempty"`
	To   any `json:"to,omitempty"`
	// More touches or deeds; fewer when it is below zero.
	More int `json:"more,omitempty"`
	// Touch is what comes More times, at the moment of the trial.
	Touch *Touch `json:"touch,omitempty"`
	// Reason of a rejection that is left after it.
	Reason string `json:"reason,omitempty"`
}

// Kinds of changes, in the order in which the nearer of two like ones is looked for.
const (
	ofField   = "field"
	ofConsent = "consent"
	ofTouch   = "touch"
	ofChannel = "channel"
	ofSource  = "source"
	ofDeed    = "deed"
)

// Apply returns the lead with the change, as of the moment of the trial.
func (c Change) Apply(l Lead, at time.Time) Lead {
	l.Fields, l.Did, l.Consent, l.Touches = maps.Clone(l.Fields), maps.Clone(l.Did), maps.Clone(l.Consent), slices.Clone(l.Touches)
	switch c.What {
	case ofField: // whoever told it: no touch says otherwise
		for i, t := range l.Touches {
			if _, told := t.Fields[c.Name]; told {
				l.Touches[i].Fields = maps.Clone(t.Fields)
				delete(l.Touches[i].Fields, c.Name)
			}
		}
		if l.Fields == nil {
			l.Fields = map[string]any{}
		}
		if l.Fields[c.Name] = c.To; c.To == nil {
			delete(l.Fields, c.Name)
		}
	case ofConsent:
		if l.Consent == nil {
			l.Consent = map[string]bool{}
		}
		l.Consent[c.Name], _ = c.To.(bool)
	case ofTouch:
		for range c.More {
			t := *c.Touch
			t.At = at
			l.Touches = append(l.Touches, t)
		}
	case ofChannel, ofSource:
		first := l.first(at)
		if to, _ := c.To.(string); c.What == ofSource {
			l.Touches[first].Source = to
		} else {
			l.Touches[first].Channel = to
		}
	case ofDeed:
		if l.Did == nil {
			l.Did = map[string]int{}
		}
		if l.Did[c.Name] += c.More; c.Name == lead.Rejected {
			l.Reason = c.Reason
		}
	}
	return l
}

// first is the place of the earliest touch, which says where the lead came from.
func (l Lead) first(at time.Time) int {
	when := func(i int) time.Time {
		if l.Touches[i].At.IsZero() {
			return at
		}
		return l.Touches[i].At
	}
	first := 0
	for i := range l.Touches {
		if when(i).Before(when(first)) {
			first = i
		}
	}
	return first
}

// size is how far the change goes: 1 for another value and for each touch and deed, less for a number that stays near.
func (c Change) size() float64 {
	from, was := c.From.(float64)
	to, is := c.To.(float64)
	switch {
	case was && is:
		return math.Abs(to-from) / max(math.Abs(to), math.Abs(from), 1)
	case c.More != 0:
		return math.Abs(float64(c.More))
	}
	return 1
}

// String is the change in words.
func (c Change) String() string {
	switch c.What {
	case ofField:
		return fmt.Sprintf("%s: %s → %s", c.Name, shown(c.From), shown(c.To))
	case ofConsent:
		return fmt.Sprintf("consent to %s: %s → %s", c.Name, shown(c.From), shown(c.To))
	case ofChannel, ofSource:
		return fmt.Sprintf("%s of the first touch: %s → %s", c.What, shown(c.From), shown(c.To))
	case ofDeed:
		about := "by sales"
		if c.Reason != "" {
			about += ", " + c.Reason
		}
		return fmt.Sprintf("%+d %s (%s)", c.More, c.Name, about)
	}
	var about []string
	if c.Touch.Source != "" {
		about = append(about, "from "+c.Touch.Source)
	}
	if c.Touch.Channel != "" {
		about = append(about, "on "+c.Touch.Channel)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Touch.Fields)) {
		about = append(about, name+": "+shown(c.Touch.Fields[name]))
	}
	if len(about) == 0 {
		return fmt.Sprintf("%+d %s", c.More, c.Touch.Kind)
	}
	return fmt.Sprintf("%+d %s (%s)", c.More, c.Touch.Kind, strings.Join(about, ", "))
}

// shown is a value as a person reads it.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "not known"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		return strconv.Quote(v)
	}
	return fmt.Sprint(v)
}
