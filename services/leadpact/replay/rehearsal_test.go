package replay_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
	"github.com/leadpact/leadpact/services/leadpact/replay"
)

// wrong is a file with a row of every fault that a door finds.
const wrong = "id,at,mail,origin,page\n1,2018-02-01,a@example.com,,p\n2,2018-02-01,nobody,,p\n3,never,c@example.com,,p\n4,2018-02-01,d@example.com,,p\n" +
	"5,2018-02-01,\"e\x00@example.com\",,p\n6,1901-02-01,f@example.com,,p\n7,2018-02-01,g@example.com\n"

// TestDryRunSaysWhatTheDoorSays, and sends and keeps nothing.
func TestDryRunSaysWhatTheDoorSays(t *testing.T) {
	t.Parallel()
	a, faults := agreement.Parse("agreement.yaml", apptest.Agreement)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	content := wrong + strings.SplitN(many(300), "\n", 2)[1]
	dry := newJob(t, "x.csv", content)
	dry.Rehearse = &replay.Rehearsal{Agreement: a, Source: "crm"}
	dry.To, dry.Secret, dry.Accepted = "", nil, nil
	said, err := dry.run(0)
	if err != nil {
		t.Fatal(err)
	}
	s := apptest.Start(t, apptest.Config(t, t.TempDir()))
	sent := newJob(t, "x.csv", content)
	sent.To = "http://" + s.HTTPAddr() + "/v1/hooks/crm"
	did, err := sent.run(0)
	if err != nil || did.Refused < 4 || did.Accepted < 300 {
		t.Fatalf("%+v, %v", did, err)
	}
	if diff := cmp.Diff(did, said); diff != "" {
		t.Errorf("report, -did +said:\n%s", diff)
	}
	if diff := cmp.Diff(sent.read(sent.Refused), dry.read(dry.Refused)); diff != "" {
		t.Errorf("refused, -did +said:\n%s", diff)
	}
	if _, err := os.Stat(dry.state()); !errors.Is(err, os.ErrNotExist) || dry.door.requests > 0 {
		t.Errorf("a dry run sent %d requests, and left a state: %v", dry.door.requests, err)
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	a, faults := agreement.Parse("agreement.yaml", apptest.Agreement)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	dry := newJob(t, "x.csv", wrong)
	dry.Rehearse = &replay.Rehearsal{}
	said, err := dry.run(0)
	if err != nil || said.Refused != 2 || said.Accepted != 5 {
		t.Errorf("by the mapping alone: %+v, %v", said, err)
	}
	dry.Rehearse = &replay.Rehearsal{Agreement: a, Source: "website"}
	said, err = dry.run(0)
	if err != nil || said.Accepted != 0 || said.Reasons["the agreement does not let this source send history: set history: true on it"] != 4 {
		t.Errorf("to a source without history: %+v, %v", said, err)
	}
	dry.Rehearse = &replay.Rehearsal{Agreement: a, Source: "nobody"}
	if _, err = dry.run(0); err == nil || !strings.Contains(err.Error(), `the agreement has no source "nobody"`) {
		t.Errorf("to no source: %v", err)
	}
	if dry.door.requests > 0 {
		t.Error("a dry run sent something")
	}
	dry.Refused = filepath.Join(t.TempDir(), "none", "refused.jsonl")
	dry.Rehearse = &replay.Rehearsal{}
	if _, err = dry.run(0); err == nil || !strings.Contains(err.Error(), "open the file of refused rows") {
		t.Errorf("with no folder to write to: %v", err)
	}
}

// TestRate: no more rows are let go by any moment than the rate allows, and no fewer than it asks for.
func TestRate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate string
		most int // rows that go at once
		took time.Duration
	}{
		{"200/s", 100, 4500 * time.Millisecond}, {"50/s", 50, 19 * time.Second}, {"30/m", 1, 1998 * time.Second}, {"3600000/h", 100, 900 * time.Millisecond},
	} {
		t.Run(c.rate, func(t *testing.T) {
			t.Parallel()
			var rate replay.Rate
			if err := rate.UnmarshalText([]byte(c.rate)); err != nil {
				t.Fatal(err)
			}
			j := newJob(t, "x.csv", many(1000))
			j.Rehearse, j.Rate, j.Refused = &replay.Rehearsal{}, rate, ""
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				j.Progress = func(p replay.Progress) {
					if most := float64(rate)*time.Since(began).Seconds() + float64(c.most); float64(p.Rows) > most+1e-6 {
						t.Errorf("after %v there were %d rows", time.Since(began), p.Rows)
					}
				}
				report, err := replay.Run(t.Context(), j.Options)
				if took := time.Since(began); err != nil || report.Accepted != 1000 || (took-c.took).Abs() > time.Millisecond {
					t.Errorf("%+v after %v, %v", report, took, err)
				}
			})
		})
	}
}

func TestRatesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "200", "/s", "200/d", "0/s", "-1/s", "Inf/s", "NaN/s", "x/s", "1/s/s"} {
		var rate replay.Rate
		if err := rate.UnmarshalText([]byte(text)); err == nil || rate != 0 {
			t.Errorf("%q is %v", text, rate)
		}
	}
}
