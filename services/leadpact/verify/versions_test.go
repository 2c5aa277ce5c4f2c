package verify

import (
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// TestNotTaken: only a version that takes clocks over, once it is in force, and only the clock of a promise that had one.
func TestNotTaken(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	v := &verifier{agreements: map[string]*agreement.Agreement{
		"moves": {UnderWay: agreement.Move}, "stays": {UnderWay: agreement.Stay}, "lost": {UnderWay: agreement.Move},
	}}
	rows := []store.AgreementRow{{Hash: "stays", ActiveFrom: from}, {Hash: "moves", ActiveFrom: from}, {Hash: "unread", ActiveFrom: from}}
	for name, c := range map[string]struct {
		hash  string
		at    time.Time
		moved bool
		want  string
	}{
		"taken over":              {"moves", from, true, ""},
		"taken over late":         {"moves", from.Add(time.Hour), true, ""},
		"a moment early":          {"moves", from.Add(-time.Microsecond), true, "that version was not in force"},
		"nothing to take over":    {"moves", from, false, "no clock of that promise was taken over before"},
		"by one that leaves it":   {"stays", from, true, "that version takes no clock over"},
		"by one that nobody has":  {"none", from, true, "nobody knows that version"},
		"by one that cannot read": {"unread", from, true, "nobody knows that version"},
		"by one without a time":   {"lost", from, true, "nobody knows that version"},
	} {
		if got := v.notTaken(rows, &eventv1.Event{Agreement: c.hash, RecordedAt: event.Micros(c.at)}, c.moved); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
