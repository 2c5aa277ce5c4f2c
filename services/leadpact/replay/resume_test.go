package replay_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
	"github.com/leadpact/leadpact/services/leadpact/replay"
	"github.com/leadpact/leadpact/services/leadpact/verify"
)

// job is a file that is replayed in several runs.
type job struct {
	replay.Options
	t        *testing.T
	door     *door
	accepted strings.Builder
}

// newJob writes the file. Rows in which a door sees a page "bad" are refused there.
func newJob(t *testing.T, name, content string) *job {
	t.Helper()
	dir := t.TempDir()
	j := &job{t: t, door: newDoor(t)}
	j.door.refuse = func(e map[string]any) string {
		if fields, ok := e["fields"].(map[string]any); ok && fields["landing_page"] == "bad" {
			return "a bad page"
		}
		return ""
	}
	j.Options = replay.Options{
		Events: filepath.Join(dir, name), To: j.door.URL + "/v1/hooks/crm", Mapping: parsed(t, mapping), Secret: apptest.Secret,
		Accepted: &j.accepted, Refused: filepath.Join(dir, "refused.jsonl"), Patience: 20 * time.Second,
	}
	j.write(j.Events, content)
	return j
}

func parsed(t *testing.T, how string) *replay.Mapping {
	t.Helper()
	m, err := replay.ParseMapping([]byte(how))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (j *job) write(file, content string) {
	j.t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		j.t.Fatal(err)
	}
}

func (j *job) read(file string) string {
	j.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		j.t.Fatal(err)
	}
	return string(text)
}

// run replays until request n comes to the door, 0 for to the end.
func (j *job) run(n int) (replay.Report, error) {
	ctx, stop := context.WithCancel(j.t.Context())
	defer stop()
	j.door.mu.Lock()
	from := j.door.requests
	j.door.seen = func(request int) {
		if request-from == n {
			stop()
		}
	}
	j.door.mu.Unlock()
	return replay.Run(ctx, j.Options)
}

// times is how often each event came to the door.
func (j *job) times() map[any]int {
	out := map[any]int{}
	for _, e := range j.door.events {
		out[e["id"]]++
	}
	return out
}

func (j *job) state() string { return j.Events + ".replay" }

// mixed are n rows in CSV or JSONL, one or two lines each: some that cannot be read, some that the mapping refuses, some that the door does.
func mixed(name string, n int) string {
	var b strings.Builder
	if strings.HasSuffix(name, ".csv") {
		_, _ = b.WriteString("\ufeffid,at,mail,origin,page\n")
	}
	for i := range n {
		at, page := "2018-02-01", "p"
		if i%31 == 0 {
			at = "never"
		}
		if i%53 == 1 {
			page = "bad"
		}
		switch {
		case i%100 == 0:
			_, _ = fmt.Fprintf(&b, "%d,2018\n", i) // where lots begin
		case strings.HasSuffix(name, ".csv"):
			_, _ = fmt.Fprintf(&b, "%d,%s,lead%d@example.com,\"a, \"\"b\"\"\nc\",%s\r\n", i, at, i, page)
		default:
			_, _ = fmt.Fprintf(&b, "{\"id\":%d,\"at\":%q,\"mail\":\"lead%d@example.com\",\"page\":%q}\n\n", i, at, i, page)
		}
	}
	return b.String()
}

// TestInterruptedAnywhere: whenever a replay is told to stop, and however often, each row is sent once, and what is written down in the
// end is what one run writes.
func TestInterruptedAnywhere(t *testing.T) {
	t.Parallel()
	const rows, lots = 950, 10
	for _, name := range []string{"x.csv", "x.jsonl"} {
		whole := newJob(t, name, mixed(name, rows))
		want, err := whole.run(0)
		if err != nil || want.Rows != rows || want.Refused != 10+30+17 || want.Resumed != 0 {
			t.Fatalf("%+v, %v", want, err)
		}
		for every := 1; every <= lots; every++ {
			t.Run(fmt.Sprint(name, every), func(t *testing.T) {
				t.Parallel()
				j := newJob(t, name, mixed(name, rows))
				report, err := j.run(every)
				runs := 1
				for ; errors.Is(err, replay.ErrInterrupted) && runs <= lots+1; runs++ {
					before := report
					if report, err = j.run(every); err == nil && report.Resumed != before.Rows {
						t.Errorf("it went on after %d rows, and %d were done", report.Resumed, before.Rows)
					}
				}
				if err != nil || runs == 1 && every < lots-4 {
					t.Fatalf("after %d runs: %v", runs, err)
				}
				report.Resumed = 0
				if diff := cmp.Diff(want, report); diff != "" {
					t.Errorf("report, -want +got:\n%s", diff)
				}
				times := j.times()
				for id, n := range times {
					if n != 1 {
						t.Errorf("%v came %d times", id, n)
					}
				}
				if len(times) != want.Accepted {
					t.Errorf("%d of %d events came", len(times), want.Accepted)
				}
				if j.accepted.String() != whole.accepted.String() {
					t.Error("other events are written down as accepted than by one run")
				}
				if diff := cmp.Diff(whole.read(whole.Refused), j.read(j.Refused)); diff != "" {
					t.Errorf("refused, -want +got:\n%s", diff)
				}
				if _, err := os.Stat(j.state()); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the state of a replay that has ended is there: %v", err)
				}
			})
		}
	}
}

// TestCrash: the machine failed, and the state is older than what was sent. That goes again, with the same ids; what is written down is
// not written twice.
func TestCrash(t *testing.T) {
	t.Parallel()
	j := newJob(t, "x.csv", mixed("x.csv", 950))
	if _, err := j.run(2); !errors.Is(err, replay.ErrInterrupted) {
		t.Fatal(err)
	}
	old := j.read(j.state())
	want, err := j.run(0)
	if err != nil {
		t.Fatal(err)
	}
	refused, sent := j.read(j.Refused), j.times()
	j.write(j.state(), old)
	report, err := j.run(0)
	if diff := cmp.Diff(want, report); diff != "" || err != nil {
		t.Errorf("%v, report, -want +got:\n%s", err, diff)
	}
	if diff := cmp.Diff(refused, j.read(j.Refused)); diff != "" {
		t.Errorf("refused, -want +got:\n%s", diff)
	}
	if len(j.door.events) == len(sent) || len(j.times()) != len(sent) {
		t.Errorf("%d events were sent in the end, %d different ones, of %d", len(j.door.events), len(j.times()), len(sent))
	}
}

// TestOtherThanBefore: what an interrupted replay did must not be passed over in another file, by another mapping or for another source.
func TestOtherThanBefore(t *testing.T) {
	t.Parallel()
	content := mixed("x.csv", 950)
	for name, c := range map[string]struct {
		change func(j *job)
		want   string // "" when it goes on
	}{
		"the same":          {func(*job) {}, ""},
		"more rows":         {func(j *job) { j.write(j.Events, content+"x,2018-02-01,x@example.com,,\n") }, ""},
		"another state":     {func(j *job) { j.State = j.Events + ".other" }, ""},
		"the beginning":     {func(j *job) { j.write(j.Events, strings.Replace(content, "lead1@", "lead9@", 1)) }, "x.csv has changed since the replay in"},
		"a row taken out":   {func(j *job) { j.write(j.Events, strings.Replace(content, "\n1,2018-02-01", "\n2018-02-01", 1)) }, "has changed since"},
		"a shorter file":    {func(j *job) { j.write(j.Events, content[:500]) }, "has changed since"},
		"another mapping":   {func(j *job) { j.Mapping = parsed(j.t, mapping+"\n") }, "the mapping has changed since the replay in"},
		"another source":    {func(j *job) { j.To = j.door.URL + "/v1/hooks/other" }, "was to the source crm, not to other; --restart begins anew"},
		"no state at all":   {func(j *job) { j.write(j.state(), "{") }, "is no state of a replay that this program can go on from"},
		"another program's": {func(j *job) { j.write(j.state(), strings.Replace(j.read(j.state()), `"form":1`, `"form":2`, 1)) }, "can go on from"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, "x.csv", content)
			if report, err := j.run(3); !errors.Is(err, replay.ErrInterrupted) || report.Rows < 300 {
				t.Fatalf("%+v, %v", report, err)
			}
			c.change(j)
			sent := len(j.door.events)
			_, err := j.run(0)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("told %v, not %q", err, c.want)
			}
			if c.want == "" {
				return
			}
			if len(j.door.events) != sent {
				t.Errorf("%d events were sent all the same", len(j.door.events)-sent)
			}
			j.Restart = true
			report, err := j.run(0)
			if rows := strings.Count(j.read(j.Events), "\r\n"); err != nil || report.Rows < rows || report.Resumed != 0 {
				t.Errorf("anew: %+v, %v", report, err)
			}
		})
	}
}

// TestInterruptedWhileBusy: a door that is not free does not hold up somebody who wants to stop.
func TestInterruptedWhileBusy(t *testing.T) {
	t.Parallel()
	j := newJob(t, "x.csv", mixed("x.csv", 950))
	j.door.busy = 1000
	began := time.Now()
	report, err := j.run(2)
	if !errors.Is(err, replay.ErrInterrupted) || report.Rows != 0 || time.Since(began) > 15*time.Second {
		t.Errorf("after %v: %+v, %v", time.Since(began), report, err)
	}
	if _, err := os.Stat(j.state()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a state is kept of nothing: %v", err)
	}
}

// TestNobodyIsNamed in the file of refused rows and in the report.
func TestNobodyIsNamed(t *testing.T) {
	t.Parallel()
	content := "id,at,mail,origin,page\nx,2018-02-01,lead1@example.com,,bad\nx,never,lead2@example.com,,p\nx,2018-02-01,lead3@example.com\n"
	j := newJob(t, "x.csv", content)
	j.Mapping = parsed(t, strings.Replace(mapping, `"lead-{id}"`, `"{mail}"`, 1))
	report, err := j.run(0)
	if err != nil || report.Refused != 3 {
		t.Fatalf("%+v, %v", report, err)
	}
	const want = `{"line":2,"reason":"a bad page"}
{"line":3,"reason":"the time has none of the known forms, as 2026-01-31 09:00:00 is one"}
{"line":4,"reason":"it has 3 columns, the header line has 5"}
`
	if diff := cmp.Diff(want, j.read(j.Refused)); diff != "" || strings.Contains(fmt.Sprint(report), "example.com") {
		t.Errorf("%v, refused, -want +got:\n%s", report, diff)
	}
}

// TestReportIsBounded: a file may refuse without end, and a report must not.
func TestReportIsBounded(t *testing.T) {
	t.Parallel()
	j := newJob(t, "x.csv", many(1000))
	j.door.refuse = func(e map[string]any) string { return fmt.Sprint("because of ", e["id"]) }
	report, err := j.run(0)
	sum := 0
	for _, n := range report.Reasons {
		sum += n
	}
	if err != nil || report.Refused != 1000 || sum != 1000 || len(report.Reasons) != 101 || report.Reasons["other reasons"] != 900 || len(report.Examples) != 20 {
		t.Errorf("%+v, %v", report, err)
	}
	if n := strings.Count(j.read(j.Refused), "\n"); n != 1000 || report.ByNumber()[0] != "other reasons" {
		t.Errorf("%d rows are written down, the first reason is %s", n, report.ByNumber()[0])
	}
}

// TestInterruptedAtARealDoor: in the end every lead is there, once.
func TestInterruptedAtARealDoor(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Config(t, t.TempDir()))
	j := newJob(t, "x.csv", many(1500))
	j.To = "http://" + s.HTTPAddr() + "/v1/hooks/crm"
	ctx, stop := context.WithCancel(t.Context())
	j.Progress = func(replay.Progress) { stop() }
	first, err := replay.Run(ctx, j.Options)
	if !errors.Is(err, replay.ErrInterrupted) || first.Rows == 0 || first.Rows == 1500 {
		t.Fatalf("%+v, %v", first, err)
	}
	j.Progress = nil
	report, err := replay.Run(t.Context(), j.Options)
	if err != nil || report.Rows != 1500 || report.Accepted != 1500 || report.Resumed != first.Rows {
		t.Fatalf("%+v, %v", report, err)
	}
	if n := strings.Count(j.accepted.String(), "\n"); n != 1500 {
		t.Errorf("%d events are written down as accepted", n)
	}
	var lines strings.Builder
	err = verify.Run(t.Context(), verify.Options{
		Stores: apptest.Stores(t, s.Data), Accepted: strings.NewReader(j.accepted.String()), Doors: []string{s.HTTPAddr()}, Patience: 30 * time.Second, Out: &lines,
	})
	if err != nil || !strings.Contains(lines.String(), "fold of its facts (1500)") {
		t.Errorf("%v:\n%s", err, lines.String())
	}
}
