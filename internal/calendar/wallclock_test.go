package calendar

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"
	"time"
)

// For every zone there is, the table of offsets says what the zone says: through
// years that the data lists and years that only its closing rule covers, at the
// end of leap years, and on both sides of every change.
func TestWallClockIsTheZone(t *testing.T) {
	t.Parallel()
	archive, err := zip.NewReader(bytes.NewReader(zoneArchive), int64(len(zoneArchive)))
	if err != nil {
		t.Fatal(err)
	}
	from, to := time.Date(1995, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)
	zones := 0
	for _, file := range archive.File {
		if strings.HasSuffix(file.Name, "/") {
			continue
		}
		zones++
		zone, err := LoadZone(file.Name)
		if err != nil {
			t.Fatal(err)
		}
		wall := newWallClock(zone, from, to)
		same := func(at time.Time) {
			_, want := at.In(zone).Zone()
			if got := (wall.read(at.UnixMicro()) - at.UnixMicro()) / 1e6; got != int64(want) {
				t.Errorf("%s at %s: offset %d s, the zone says %d s", file.Name, stamp(at), got, want)
			}
		}
		for at := from; at.Before(to); at = at.Add(71 * time.Hour) {
			same(at)
		}
		for _, since := range wall.since[1:] {
			same(instant(since))
			same(instant(since - 1))
		}
	}
	if zones < 400 {
		t.Errorf("the archive has %d zones", zones)
	}
}

// A reading is turned into the earliest instant that shows it or a later one.
func TestWallClockInstant(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns", "America/Sao_Paulo"} {
		zone, err := LoadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		wall := newWallClock(zone, time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
		for _, since := range wall.since[1:] {
			last := int64(0)
			for reading := wall.read(since-1) - 2*day; reading < wall.read(since)+2*day; reading += 60e6 * 5 {
				got := wall.instant(reading)
				if wall.read(got) < reading {
					t.Fatalf("%s: %d reads %d, wanted %d or later", name, got, wall.read(got), reading)
				}
				for earlier := int64(1); earlier < 2*day; earlier *= 2 {
					if wall.read(got-earlier) >= reading {
						t.Fatalf("%s: %d is not the earliest that reads %d: %d is", name, got, reading, got-earlier)
					}
				}
				if got < last {
					t.Fatalf("%s: a later reading %d came earlier", name, reading)
				}
				last = got
			}
		}
	}
}
