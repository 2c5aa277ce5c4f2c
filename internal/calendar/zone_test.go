package calendar_test

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// The version that is recorded with deadlines is that of the data in the program.
func TestTZDataVersion(t *testing.T) {
	t.Parallel()
	archive, err := os.ReadFile("zonedata/zoneinfo.zip")
	if err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile("zonedata/VERSION")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(archive)
	want := calendar.TZDataVersion() + " " + hex.EncodeToString(sum[:])
	if got := strings.TrimSpace(string(line)); got != want {
		t.Errorf("VERSION says %q, the archive is %q: run zonedata/update.sh", got, want)
	}
	if v := calendar.TZDataVersion(); len(v) != 5 || v < "2025c" {
		t.Errorf("TZDataVersion() = %q, want a release such as 2025c", v)
	}
	// 2025b made Aysén a zone of its own: a witness that the content is as new as it says.
	if _, err := calendar.LoadZone("America/Coyhaique"); err != nil {
		t.Error(err)
	}
}

// A host whose zone files lie must not be able to move a deadline.
func TestZonesAreTheProgramsOwn(t *testing.T) {
	archive, err := zip.OpenReader("zonedata/zoneinfo.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	tokyo, err := fs.ReadFile(archive, "Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	host := t.TempDir()
	if err := os.Mkdir(host+"/Europe", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(host+"/Europe/Berlin", tokyo, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ZONEINFO", host)
	// Go's own look-up falls for it, or else this test would show nothing.
	fooled, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	if _, offset := at("2026-07-01T00:00:00Z").In(fooled).Zone(); offset != 9*3600 {
		t.Fatalf("the false host data was not read: Berlin is %d s from UTC", offset)
	}
	zone, err := calendar.LoadZone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	if _, offset := at("2026-07-01T00:00:00Z").In(zone).Zone(); offset != 7200 {
		t.Errorf("Berlin in July is %d s from UTC, want 7200", offset)
	}
	if zone.String() != "Europe/Berlin" {
		t.Errorf("zone is called %q", zone)
	}
}

// Each case is a span on one date and its true edges. Local times stand for the
// earliest instant at which the clock reads them or later.
func TestChangesOfOffset(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, zone, date, span string
		opens, closes          string
	}{
		{"a whole day that loses an hour", "Europe/Berlin", "2026-03-29", "00:00-24:00", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"a whole day that wins an hour", "Europe/Berlin", "2026-10-25", "00:00-24:00", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
		{"a night shift that loses an hour", "America/New_York", "2026-03-08", "00:00-08:00", "2026-03-08T05:00:00Z", "2026-03-08T12:00:00Z"},
		{"opens in a gap", "Europe/Berlin", "2026-03-29", "02:30-06:00", "2026-03-29T01:00:00Z", "2026-03-29T04:00:00Z"},
		{"closes in a gap", "Europe/Berlin", "2026-03-29", "01:00-02:30", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"},
		{"opens in an overlap", "Europe/Berlin", "2026-10-25", "02:30-06:00", "2026-10-25T00:30:00Z", "2026-10-25T05:00:00Z"},
		{"closes in an overlap", "Europe/Berlin", "2026-10-25", "01:00-02:30", "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z"},
		{"lies in an overlap", "Europe/Berlin", "2026-10-25", "02:15-02:45", "2026-10-25T00:15:00Z", "2026-10-25T00:45:00Z"},
		{"half an hour forward", "Australia/Lord_Howe", "2026-10-04", "00:00-24:00", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"},
		{"in the half hour that is missing", "Australia/Lord_Howe", "2026-10-04", "02:10-04:00", "2026-10-03T15:30:00Z", "2026-10-03T17:00:00Z"},
		{"half an hour back", "Australia/Lord_Howe", "2026-04-05", "00:00-24:00", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"},
		{"in the half hour that is there twice", "Australia/Lord_Howe", "2026-04-05", "01:45-03:00", "2026-04-04T14:45:00Z", "2026-04-04T16:30:00Z"},
		{"a day without midnight", "America/Sao_Paulo", "2018-11-04", "00:00-24:00", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"opens before a missing midnight is over", "America/Sao_Paulo", "2018-11-04", "00:30-02:00", "2018-11-04T03:00:00Z", "2018-11-04T04:00:00Z"},
		{"the eve of a missing midnight", "America/Sao_Paulo", "2018-11-03", "18:00-24:00", "2018-11-03T21:00:00Z", "2018-11-04T03:00:00Z"},
		{"an evening that happens twice", "America/Sao_Paulo", "2018-02-17", "22:00-24:00", "2018-02-18T00:00:00Z", "2018-02-18T03:00:00Z"},
		{"midnight that happens twice", "America/St_Johns", "2010-11-06", "20:00-24:00", "2010-11-06T22:30:00Z", "2010-11-07T02:30:00Z"},
		{"a 45 minute offset", "Asia/Kathmandu", "2026-05-04", "09:00-17:00", "2026-05-04T03:15:00Z", "2026-05-04T11:15:00Z"},
		{"the far end of the zones", "Pacific/Kiritimati", "2026-05-04", "09:00-17:00", "2026-05-03T19:00:00Z", "2026-05-04T03:00:00Z"},
		{"a clock that jumps two hours", "Antarctica/Troll", "2026-03-29", "00:00-24:00", "2026-03-29T00:00:00Z", "2026-03-29T22:00:00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := compile(t, calendar.Spec{Zone: test.zone, Dates: days(date(test.date), test.span)}, test.opens)
			opens, err := c.NextOpen(at(test.opens).Add(-48 * time.Hour))
			if err != nil || !opens.Equal(at(test.opens)) {
				t.Errorf("opens %s, %v; want %s", opens, err, test.opens)
			}
			closes, err := c.NextClose(opens)
			if err != nil || !closes.Equal(at(test.closes)) {
				t.Errorf("closes %s, %v; want %s", closes, err, test.closes)
			}
			length, err := c.Elapsed(opens.Add(-time.Hour), closes.Add(time.Hour))
			if want := at(test.closes).Sub(at(test.opens)); err != nil || length != want {
				t.Errorf("lasts %s, %v; want %s", length, err, want)
			}
		})
	}
}

// Samoa had no 30 December 2011: it went from the 29th to the 31st.
func TestDateThatNeverCame(t *testing.T) {
	t.Parallel()
	only := calendar.Spec{Name: "apia", Zone: "Pacific/Apia", Dates: days(date("2011-12-30"), "09:00-17:00")}
	c := compile(t, only, "2011-12-30T00:00:00Z")
	if open, err := c.NextOpen(at("2011-12-20T00:00:00Z")); err == nil {
		t.Errorf("opens at %s on a date that never came", open)
	}
	every := compile(t, weekly("Pacific/Apia", "09:00-17:00"), "2011-12-30T00:00:00Z")
	always := compile(t, calendar.Spec{Zone: "Pacific/Apia", Always: true}, "2011-12-30T00:00:00Z")
	for _, c := range []*calendar.Calendar{every, always} {
		got, err := c.AddDays(at("2011-12-29T22:00:00Z"), 1) // 29 December, 12:00
		if err != nil || !got.Equal(at("2011-12-30T22:00:00Z")) {
			t.Errorf("the next working day is %s, %v; want 31 December, 12:00 there", got, err)
		}
	}
}
