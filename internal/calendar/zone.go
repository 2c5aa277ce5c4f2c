package calendar

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"sort"
	"strings"
	"time"
)

// The program carries a copy of the zone archive of its own. Importing
// time/tzdata would not do: Go asks the host's files first and turns to that
// copy only when there are none, so two nodes with different hosts would put one
// deadline at two instants; and the package does not hand its data out.
// zonedata/update.sh renews the copy from the Go toolchain.
var (
	//go:embed zonedata/zoneinfo.zip
	zoneArchive []byte
	//go:embed zonedata/VERSION
	zoneVersion string
)

// ErrZone marks a zone name that the zone data does not know.
var ErrZone = errors.New("unknown time zone")

// TZDataVersion is the release of the IANA zone data that the program carries,
// such as "2025c". The host's data plays no part. The release is the one that
// the Go toolchain names for the archive at the time it was copied; VERSION
// holds it beside the archive's SHA-256, and a test compares the two.
func TZDataVersion() string {
	version, _, _ := strings.Cut(strings.TrimSpace(zoneVersion), " ")
	return version
}

// LoadZone finds an IANA zone in the program's own data. "" and "Local" are
// refused, since they would mean something else on every host. An unknown name
// is ErrZone.
func LoadZone(name string) (*time.Location, error) {
	if name == "UTC" {
		return time.UTC, nil
	}
	if name == "" || name == "Local" || strings.HasSuffix(name, "/") {
		return nil, fmt.Errorf("load zone %q: name an IANA zone such as Europe/Berlin: %w", name, ErrZone)
	}
	data, err := zoneFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("load zone %q: the zone data %s does not have it; name an IANA zone such as Europe/Berlin: %w",
			name, TZDataVersion(), ErrZone)
	}
	if err != nil {
		return nil, fmt.Errorf("load zone %q from the program's own data: %w", name, err)
	}
	return time.LoadLocationFromTZData(name, data)
}

func zoneFile(name string) ([]byte, error) {
	archive, err := zip.NewReader(bytes.NewReader(zoneArchive), int64(len(zoneArchive)))
	if err != nil {
		return nil, err
	}
	// Not archive.Open: it builds a tree of all 600 names for one look-up.
	for _, file := range archive.File {
		if file.Name != name {
			continue
		}
		return unzip(file)
	}
	return nil, fs.ErrNotExist
}

func unzip(file *zip.File) ([]byte, error) {
	body, err := file.Open()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// wallClock is a zone over a stretch of time as a table of offsets. Instants are
// microseconds since 1970 UTC; wall readings are microseconds since 1970-01-01
// 00:00 on the local clock. Element i holds from since[i] until since[i+1].
type wallClock struct {
	since  []int64
	offset []int64
}

// farthest bounds how far a local clock has ever stood from UTC.
const farthest = 16 * int64(time.Hour/time.Microsecond)

// newWallClock tabulates the zone from one instant past another.
func newWallClock(zone *time.Location, from, to time.Time) wallClock {
	var w wallClock
	for at := from.In(zone); ; {
		_, seconds := at.Zone()
		offset := int64(seconds) * 1e6
		since := at.UnixMicro()
		if len(w.since) == 0 {
			since = math.MinInt64
		}
		// Bounds also mark a new name for an unchanged offset.
		if n := len(w.offset); n == 0 || w.offset[n-1] != offset {
			w.since = append(w.since, since)
			w.offset = append(w.offset, offset)
		}
		_, end := at.ZoneBounds()
		if !end.IsZero() && !end.After(at) {
			// On the last day of a leap year Go puts the end a day early, behind the
			// instant asked about (golang.org/issue/81583). It does so only when no
			// change is left in that year, so midnight UTC is no later than the next.
			end = at.Truncate(24 * time.Hour).Add(24 * time.Hour)
		}
		if end.IsZero() || end.After(to) {
			return w
		}
		at = end
	}
}

// read gives the wall reading at an instant.
func (w wallClock) read(instant int64) int64 {
	return instant + w.offset[w.period(instant)]
}

// instant is the earliest at which the clock reads wall or later. So a reading
// that does not exist moves forward to the end of the gap, one that happens
// twice is the first, and order is kept: a later reading is never earlier.
func (w wallClock) instant(wall int64) int64 {
	for i := w.period(wall - farthest); ; i++ {
		t := max(w.since[i], wall-w.offset[i])
		if i+1 == len(w.since) || t < w.since[i+1] {
			return t
		}
	}
}

// skipsDate tells whether some date never comes, as where a country has moved
// across the date line.
func (w wallClock) skipsDate() bool {
	for i := 1; i < len(w.since); i++ {
		if w.offset[i]-w.offset[i-1] >= day {
			return true
		}
	}
	return false
}

func (w wallClock) period(instant int64) int {
	return sort.Search(len(w.since), func(i int) bool { return w.since[i] > instant }) - 1
}
