package due

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// shown is how many days stand at each end of a long account.
const shown = 7

// Write tells a person. The error is that of w.
func (a Answer) Write(w io.Writer) error {
	zone, err := calendar.LoadZone(a.Zone)
	if err != nil {
		return err
	}
	local := func(t time.Time) string { return t.In(zone).Format("Mon 2006-01-02 15:04:05 MST") }
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s: %s of the hours %q, %s\n\n", a.Clock, length(a.Within), a.Calendar, a.Zone)
	fmt.Fprintf(&out, "  made  %s\n", local(a.At))
	for _, warned := range a.Warnings {
		fmt.Fprintf(&out, "  warn  %s  at %d %%\n", local(warned.At), warned.Percent)
	}
	fmt.Fprintf(&out, "  due   %s  %s\n\n", local(a.Due), a.Due.Format(time.RFC3339Nano))
	var sum time.Duration
	for i, d := range a.Days {
		sum += d.Counted
		switch left := len(a.Days) - i; {
		case i < shown || left <= shown:
			line := fmt.Sprintf("  %.3s %s  %-24s %9s %9s   %s", d.Weekday, d.Date, d.hours(), length(d.Counted), length(sum), d.why())
			fmt.Fprintln(&out, strings.TrimRight(line, " "))
		case i == shown:
			fmt.Fprintf(&out, "  … %d more days; --json lists them all\n", len(a.Days)-2*shown)
		}
	}
	fmt.Fprintf(&out, "\n  zone data %s\n", a.TZData)
	_, err = w.Write(out.Bytes())
	return err
}

// hours are the day's, as a person writes them.
func (d Day) hours() string {
	switch {
	case d.Rule == calendar.Always:
		return "open"
	case len(d.Hours) == 0:
		return "closed"
	}
	return strings.Join(d.Hours, ", ")
}

// why says what is not as in an ordinary week.
func (d Day) why() string {
	var all []string
	switch d.Rule {
	case calendar.Holiday:
		all = append(all, "holiday")
	case calendar.Dated:
		if len(d.Hours) == 0 {
			all = append(all, "closed on this date")
		} else {
			all = append(all, "hours of this date")
		}
	case calendar.Weekly, calendar.Always:
	}
	if d.Breaks && d.Rule != calendar.Holiday {
		all = append(all, "with a break of this date")
	}
	if d.Shift > 0 {
		all = append(all, "clocks go forward "+length(d.Shift))
	} else if d.Shift < 0 {
		all = append(all, "clocks go back "+length(-d.Shift))
	}
	return strings.Join(all, ", ")
}

// length is a duration without what is zero in it: 1h30m, 45s, 0.
func length(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
