package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// example is one case of the file. Amount and elapsed results are seconds, or
// days for add_days, and stay text so that no digit is lost.
type example struct {
	ID       string          `json:"id"`
	Kind     string          `json:"kind"`
	Zone     string          `json:"tz"`
	Calendar hours           `json:"calendar"`
	Start    time.Time       `json:"start"`
	End      time.Time       `json:"end"`
	Amount   json.Number     `json:"amount"`
	Pauses   [][2]time.Time  `json:"pauses"`
	Expected json.RawMessage `json:"expected"`
	Recheck  json.RawMessage `json:"recheck_value"`
	Conflict string          `json:"convention_conflict"`
}

// hours is a calendar as the file writes it; a span is a pair of local times.
type hours struct {
	Weekly    map[string][][2]string `json:"weekly"`
	DateHours map[string][][2]string `json:"date_hours"`
	Breaks    map[string][][2]string `json:"breaks"`
	Holidays  []string               `json:"holidays"`
}

func checkCases(path string) (ran int, fails []failure, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, nil, err
	}
	var file struct {
		Cases []example `json:"cases"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return 0, nil, fmt.Errorf("read cases %s: %w", path, err)
	}
	if len(file.Cases) == 0 {
		return 0, nil, fmt.Errorf("read cases %s: there are none", path)
	}
	for _, e := range file.Cases {
		want := e.Expected
		if e.Conflict != "" {
			want = e.Recheck
		}
		got, same, err := e.answer(want)
		switch {
		case err != nil:
			fails = append(fails, failure{e.ID, fmt.Sprintf("%s: %v", e.Kind, err)})
		case !same:
			fails = append(fails, failure{e.ID, fmt.Sprintf("%s: got %v, want %s", e.Kind, got, want)})
		}
	}
	return len(file.Cases), fails, nil
}

// answer asks the calendar and compares with what the file wants.
func (e example) answer(want json.RawMessage) (got any, same bool, err error) {
	spec, err := e.Calendar.spec(e.Zone)
	if err != nil {
		return nil, false, err
	}
	c, err := calendar.Compile(spec, e.Start.AddDate(-1, 0, 0), e.Start.AddDate(5, 0, 0))
	if err != nil {
		return nil, false, err
	}
	var pauses []calendar.Interval
	for _, p := range e.Pauses {
		pauses = append(pauses, calendar.Interval{Start: p[0], End: p[1]})
	}
	var instant time.Time
	switch e.Kind {
	case "is_open":
		open, err := c.IsOpen(e.Start)
		return open, err == nil && string(want) == fmt.Sprint(open), err
	case "elapsed":
		wanted, err := time.ParseDuration(string(want) + "s")
		if err != nil {
			return nil, false, err
		}
		sum, err := c.Elapsed(e.Start, e.End, pauses...)
		return sum, sum == wanted, err
	case "add":
		d, bad := time.ParseDuration(e.Amount.String() + "s")
		if bad != nil {
			return nil, false, bad
		}
		instant, err = c.Deadline(e.Start, d, pauses...)
	case "add_days":
		n, bad := e.Amount.Int64()
		if bad != nil {
			return nil, false, bad
		}
		instant, err = c.AddDays(e.Start, int(n))
	case "next_open":
		instant, err = c.NextOpen(e.Start)
	case "next_close":
		instant, err = c.NextClose(e.Start)
	default:
		return nil, false, fmt.Errorf("unknown kind %q", e.Kind)
	}
	if err != nil {
		return nil, false, err
	}
	var wanted time.Time
	err = json.Unmarshal(want, &wanted)
	return instant.Format(time.RFC3339Nano), instant.Equal(wanted), err
}

func (h hours) spec(zone string) (calendar.Spec, error) {
	spec := calendar.Spec{Name: "case", Zone: zone, Weekly: map[time.Weekday][]calendar.Span{}}
	for name, written := range h.Weekly {
		day := weekday(name)
		spans, err := spans(written)
		if err != nil || day < 0 {
			return spec, fmt.Errorf("weekday %q: %w", name, err)
		}
		spec.Weekly[day] = spans
	}
	var err error
	if spec.Dates, err = dates(h.DateHours); err != nil {
		return spec, err
	}
	if spec.Breaks, err = dates(h.Breaks); err != nil {
		return spec, err
	}
	for _, text := range h.Holidays {
		date, err := calendar.ParseDate(text)
		if err != nil {
			return spec, err
		}
		spec.Holidays = append(spec.Holidays, date)
	}
	return spec, nil
}

func weekday(name string) time.Weekday {
	for day := time.Sunday; day <= time.Saturday; day++ {
		if strings.EqualFold(day.String()[:3], name) {
			return day
		}
	}
	return -1
}

func dates(written map[string][][2]string) (map[calendar.Date][]calendar.Span, error) {
	all := make(map[calendar.Date][]calendar.Span, len(written))
	for text, pairs := range written {
		date, err := calendar.ParseDate(text)
		if err != nil {
			return nil, err
		}
		if all[date], err = spans(pairs); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func spans(pairs [][2]string) ([]calendar.Span, error) {
	var all []calendar.Span
	for _, pair := range pairs {
		opens, err := calendar.ParseClock(pair[0])
		if err != nil {
			return nil, err
		}
		closes, err := calendar.ParseClock(pair[1])
		if err != nil {
			return nil, err
		}
		all = append(all, calendar.Span{Open: opens, Close: closes})
	}
	return all, nil
}
