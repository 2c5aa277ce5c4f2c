package calendar

import (
	"fmt"
	"strconv"
)

// Clock is a reading of the local wall clock in seconds of the day, 0 to 86400.
// 86400 is 24:00, the end of the day; it may close a span and never opens one.
type Clock int

// Midnight is 24:00, the close of a span that lasts until the end of its day.
const Midnight Clock = 24 * 60 * 60

// ParseClock reads "09:00", "09:00:30" or "24:00".
func ParseClock(s string) (Clock, error) {
	hour, minute, second, ok := 0, 0, 0, false
	switch {
	case len(s) == 5 && s[2] == ':':
		hour, minute, ok = digits(s[:2]), digits(s[3:]), true
	case len(s) == 8 && s[2] == ':' && s[5] == ':':
		hour, minute, second, ok = digits(s[:2]), digits(s[3:5]), digits(s[6:]), true
	}
	c := Clock(hour*3600 + minute*60 + second)
	if !ok || hour < 0 || minute < 0 || minute > 59 || second < 0 || second > 59 || c > Midnight {
		return 0, fmt.Errorf("read local time %q: write it as 09:00 or 09:00:30, from 00:00 to 24:00", s)
	}
	return c, nil
}

// String writes the reading as ParseClock reads it, without seconds when there are none.
func (c Clock) String() string {
	if c%60 == 0 {
		return fmt.Sprintf("%02d:%02d", c/3600, c/60%60)
	}
	return fmt.Sprintf("%02d:%02d:%02d", c/3600, c/60%60, c%60)
}

// Span is [Open, Close) on one local date. Close may be 24:00. Hours that run
// over midnight are two spans, one on each date; they join where they touch.
type Span struct{ Open, Close Clock }

// String writes the span as "09:00-17:00".
func (s Span) String() string { return s.Open.String() + "-" + s.Close.String() }

func (s Span) check() error {
	switch {
	case s.Open < 0 || s.Open > Midnight || s.Close < 0 || s.Close > Midnight:
		return fmt.Errorf("hours %s: a local time lies between 00:00 and 24:00", s)
	case s.Open == s.Close:
		return fmt.Errorf("hours %s are empty: leave the span out to stay closed", s)
	case s.Open > s.Close:
		return fmt.Errorf("hours %s end before they begin: for hours over midnight write %s-24:00 and, on the next day, 00:00-%s",
			s, s.Open, s.Close)
	}
	return nil
}

// digits reads an unsigned number of nothing but digits, or gives -1.
func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}
