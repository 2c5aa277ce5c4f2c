package calendar

import (
	"fmt"
	"time"
)

// Date is a date of the local calendar, without a zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate reads "2026-03-29". The date must exist.
func ParseDate(s string) (Date, error) {
	if len(s) == 10 && s[4] == '-' && s[7] == '-' {
		d := Date{digits(s[:4]), time.Month(digits(s[5:7])), digits(s[8:])}
		if d.check() == nil {
			return d, nil
		}
	}
	return Date{}, fmt.Errorf("read date %q: write a day of the calendar as 2026-03-29", s)
}

// String writes the date as ParseDate reads it.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

func (d Date) check() error {
	if d.Year < 1 || d.Year > 9999 || dateOf(d.number()) != d {
		return fmt.Errorf("date %s is not a day of the calendar", d)
	}
	return nil
}

// number counts days since 1970-01-01; it is what the index sorts and adds.
func (d Date) number() int64 {
	return floorDiv(time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Unix(), 24*60*60)
}

func dateOf(number int64) Date {
	year, month, day := time.Unix(number*24*60*60, 0).UTC().Date()
	return Date{year, month, day}
}

// weekday of a day number; 1970-01-01 was a Thursday.
func weekday(number int64) time.Weekday {
	return time.Weekday(number + 4 - 7*floorDiv(number+4, 7))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
