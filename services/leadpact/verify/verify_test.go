package verify_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/agreement/sealtest"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
	"github.com/leadpact/leadpact/services/leadpact/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// accepted are the events that played answered 202.
const accepted = "website\t1\nwebsite\t2\nwebsite\t3\ncrm\t4\ncrm\t5\n"

// played is the data of a process that had a day: visit only looked, held was accepted and is worked on, lost was accepted and
// closed, and missed was answered by nobody in time, so that each rep broke his promise and it waits; of the second the CRM then tells
// that he had called. A second version took over the promise on the one that waits.
func played(t *testing.T) (data string) {
	t.Helper()
	cfg := apptest.Config(t, t.TempDir())
	patient := sealtest.Keyed(t, bytes.Replace(apptest.Agreement, []byte("within: 1s"), []byte("within: 3s"), 1)) // accepting in time, also on a busy machine
	next := sealtest.Following(t, []byte(strings.NewReplacer("version: test-1", "version: test-2\nunder_way: move", "within: 10h", "within: 20h").Replace(string(patient))), patient)
	for name, text := range map[string][]byte{cfg.Agreement: patient, cfg.Agreement + agreement.SealSuffix: sealtest.Seal(t, patient)} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := apptest.Start(t, cfg)
	s.Post(t, "crm", map[string]any{"id": "4", "type": "page_viewed", "email": "visit@example.com"})
	for id, name := range []string{"missed", "held", "lost"} {
		s.Post(t, "website", map[string]any{"id": fmt.Sprint(id + 1), "type": "form_submitted", "email": name + "@example.com", "hand_raiser": true})
		if name == "missed" {
			continue
		}
		a := s.Assigned(t, name+"@example.com")
		rep := leadpactv1.NewHandoffServiceClient(s.Dial(t, s.Token(a.GetRep())))
		if _, err := rep.Accept(t.Context(), &leadpactv1.AcceptRequest{Lead: a.GetLead(), RequestId: "accept-" + name}); err != nil {
			t.Fatalf("accept %s: %v", name, err)
		}
		if name == "lost" {
			if _, err := rep.CloseLost(t.Context(), &leadpactv1.CloseLostRequest{Lead: a.GetLead(), RequestId: "close", Reason: "none"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	stores := apptest.Stores(t, s.Data)
	apptest.Until(t, "a lead that waits", func() error {
		waiting, err := stores.Handoff.WaitingHandoffs(t.Context(), 1)
		if err == nil && len(waiting) == 0 {
			err = errors.New("none does")
		}
		return err
	})
	var second store.Assignment
	err := stores.Handoff.EachAssignment(t.Context(), func(a store.Assignment, _ []store.ClockRow) error {
		if a.N == 2 {
			second = a
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Post(t, "crm", map[string]any{
		"id": "5", "type": "call", "email": "missed@example.com", "occurred_at": second.StartedAt.Add(time.Second),
		"outcome": map[string]any{"kind": "attempt", "rep": second.Rep},
	})
	token, err := os.ReadFile(s.AdminToken())
	if err != nil {
		t.Fatal(err)
	}
	admin := leadpactv1.NewAgreementServiceClient(s.Dial(t, strings.TrimSpace(string(token))))
	if _, err := admin.Activate(t.Context(), &leadpactv1.ActivateRequest{Text: next, Signatures: sealtest.Seal(t, next)}); err != nil {
		t.Fatal(err)
	}
	apptest.Until(t, "the second version takes over", func() error {
		for shard := range ledger.Shards {
			lines, err := stores.Compliance.Entries(t.Context(), shard, 0, "clock.cancelled", 1)
			if err != nil || len(lines) > 0 {
				return err
			}
		}
		return errors.New("not yet")
	})
	var out strings.Builder
	err = verify.Run(t.Context(), verify.Options{
		Stores: stores, Accepted: strings.NewReader(accepted), Doors: []string{s.HTTPAddr()}, Patience: 30 * time.Second, Out: &out,
	})
	if err != nil || strings.Count(out.String(), "ok    ") != 13 || strings.Contains(out.String(), "(0)") {
		t.Fatalf("before anything is broken: %v\n%s", err, out.String())
	}
	if err := errors.Join(stores.Close(), s.Stop()); err != nil {
		t.Fatal(err)
	}
	return s.Data
}

func TestVerify(t *testing.T) {
	t.Parallel()
	data := played(t)
	t.Run("bites", func(t *testing.T) { testBites(t, data) })
	t.Run("accepted", func(t *testing.T) { testAccepted(t, data) })
	t.Run("doors away", func(t *testing.T) { testDoorsAway(t, data) })
	t.Run("drained", func(t *testing.T) { testDrained(t, data) })
}

// testBites breaks one thing at a time on purpose. The lines that it names must turn FAIL, and no other.
func testBites(t *testing.T, data string) {
	for name, c := range map[string]struct {
		service string
		// harm returns what it did, in rows.
		harm  func(ctx context.Context, db *sql.DB) (int64, error)
		lines []string
	}{
		"nothing": {"scoring", statements(`UPDATE leads SET stage = stage WHERE id IN (SELECT id FROM leads LIMIT 1)`), nil},
		"a fact of an accepted event is gone": {"scoring", statements(`DELETE FROM facts WHERE id = '1'`),
			[]string{"accepted", "facts"}},
		"knowledge of another lead": {"scoring", statements(
			`UPDATE leads SET knowledge = (SELECT o.knowledge FROM leads o WHERE o.id <> leads.id ORDER BY o.id LIMIT 1)
			 WHERE id = (SELECT max(id) FROM leads)`), []string{"facts"}},
		"knowledge that cannot be read": {"scoring", statements(
			`UPDATE leads SET knowledge = substr(knowledge, 1, length(knowledge) - 1) WHERE id = (SELECT max(id) FROM leads)`), []string{"facts"}},
		"a change of stage is gone": {"scoring", statements(
			`DELETE FROM transitions WHERE rowid = (SELECT rowid FROM transitions WHERE to_stage = 'mql' LIMIT 1)`), []string{"stages"}},
		"a stage without its change": {"scoring", statements(
			`UPDATE leads SET stage = 'won' WHERE id = (SELECT lead FROM transitions WHERE to_stage = 'mql' LIMIT 1)`), []string{"stages"}},
		"a second live assignment": {"handoff", statements(`DROP INDEX assignments_live`,
			`UPDATE assignments SET ended_at = NULL WHERE lead = (SELECT lead FROM handoffs WHERE state = 'waiting')`,
			`UPDATE reps SET live = live + 1`), []string{"owners"}},
		"assignments that overlap": {"handoff", statements(
			`UPDATE assignments SET started_at = started_at - 5000000 WHERE n = 2`), []string{"owners"}},
		"a load one too high": {"handoff", statements(`UPDATE reps SET live = live + 1 WHERE rep = 'ann'`), []string{"loads"}},
		"a load of nobody":    {"handoff", statements(`INSERT INTO reps (rep, live) VALUES ('zoe', 1)`), []string{"loads"}},
		"a clock behind an ended assignment": {"handoff", statements(
			`UPDATE clocks SET state = 'open', due_at = due_at + 360000000000 WHERE state = 'met'
			 AND assignment = (SELECT id FROM assignments WHERE end_reason NOT IN ('', 'breached') AND ended_at IS NOT NULL LIMIT 1)`), []string{"clocks"}},
		"a clock that nobody fired": {"handoff", statements(
			`UPDATE clocks SET state = 'open', due_at = due_at - 60000000 WHERE state = 'met'
			 AND assignment = (SELECT id FROM assignments WHERE ended_at IS NULL LIMIT 1)`), []string{"clocks"}},
		"the clock of a waiting handoff that nobody fired": {"handoff", statements(
			`UPDATE clocks SET due_at = started_at - 60000000 WHERE state = 'open' AND assignment = ''`), []string{"clocks"}},
		"a breach that handoff knows nothing of": {"handoff", statements(
			`UPDATE clocks SET state = 'met' WHERE id = (SELECT min(id) FROM clocks WHERE state = 'breached')`), []string{"breaches"}},
		"a breach told of another moment": {"handoff", statements(
			`UPDATE clocks SET due_at = due_at + 1 WHERE id = (SELECT min(id) FROM clocks WHERE state = 'breached')`), []string{"breaches"}},
		"a breach one microsecond early": {"compliance", rewrite("clock.breached", func(e *store.Entry, told *eventv1.Event) {
			told.RecordedAt = told.GetClockBreached().GetClock().GetDueAt() - 1
			e.RecordedAt = event.Time(told.GetRecordedAt())
		}), []string{"breaches"}},
		"a breach hidden from those who watch": {"compliance", rewrite("clock.breached", func(e *store.Entry, _ *eventv1.Event) {
			e.Type = "clock.warned"
		}), []string{"breaches"}},
		"a lead judged by a version that was not in force": {"compliance", rewrite("lead.staged", func(_ *store.Entry, told *eventv1.Event) {
			told.GetLeadStaged().DecidedAt = 1
		}), []string{"versions"}},
		"a promise of another length": {"compliance", rewrite("clock.started", func(_ *store.Entry, told *eventv1.Event) {
			told.GetClockStarted().GetClock().Within++
		}), []string{"versions"}},
		"a promise of another version": {"compliance", rewrite("clock.started", func(_ *store.Entry, told *eventv1.Event) {
			told.Agreement = "another"
		}), []string{"versions"}},
		"a clock that another version took for itself": {"compliance", rewrite("clock.cancelled", func(_ *store.Entry, told *eventv1.Event) {
			told.GetClockCancelled().Reason = "hours_changed"
		}), []string{"versions"}},
		"a clock taken over before there was one": {"compliance", rewrite("clock.cancelled", func(e *store.Entry, told *eventv1.Event) {
			told.RecordedAt += 3600e6
			e.RecordedAt = event.Time(told.GetRecordedAt())
		}), []string{"versions"}},
		"a correction that handoff knows nothing of": {"handoff", statements(
			`UPDATE clocks SET responded_at = -62135596800000000 WHERE responded_at > 0`), []string{"corrections"}},
		"a correction by another's word": {"handoff", statements(`UPDATE clocks SET witness = 'website' WHERE witness = 'crm'`), []string{"corrections"}},
		"a correction hidden from those who watch": {"compliance", rewrite("clock.corrected", func(e *store.Entry, _ *eventv1.Event) {
			e.Type = "clock.warned"
		}), []string{"corrections"}},
		"a correction by what was done at due": {"compliance", rewrite("clock.corrected", func(_ *store.Entry, told *eventv1.Event) {
			told.GetClockCorrected().RespondedAt = told.GetClockCorrected().GetClock().GetDueAt()
		}), []string{"corrections"}},
		"a correction of what was never missed": {"compliance", rewrite("clock.corrected", func(_ *store.Entry, told *eventv1.Event) {
			told.GetClockCorrected().GetClock().Id += "x"
		}), []string{"corrections"}},
		"an edited line": {"compliance", statements(
			`UPDATE entries SET lead = 'nobody' WHERE rowid = (SELECT max(rowid) FROM entries WHERE type = 'lead.received')`), []string{"ledger"}},
		"a head that is gone": {"compliance", statements(
			`DELETE FROM heads WHERE shard = (SELECT shard FROM entries LIMIT 1)`), []string{"ledger"}},
		"lines cut off at the end": {"compliance", statements(
			`UPDATE heads SET seq = seq + 1 WHERE shard = (SELECT shard FROM entries LIMIT 1)`), []string{"ledger"}},
		"a number too high": {"compliance", statements(
			`UPDATE tallies SET value = value + 1 WHERE value > 0 AND name = 'leadpact_breaches_total'`), []string{"tallies"}},
		"a number that is gone": {"compliance", statements(
			`DELETE FROM tallies WHERE value > 0 AND name = 'leadpact_breaches_total'`), []string{"tallies"}},
		"a message in an outbox": {"handoff", statements(
			`INSERT INTO outbox (partition, data, queued_at) VALUES (0, x'00', 0)`), []string{"outboxes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			copyData(t, data, dir)
			db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, c.service+".db"))
			if err != nil {
				t.Fatal(err)
			}
			n, err := c.harm(t.Context(), db)
			if err = errors.Join(err, db.Close()); err != nil || n == 0 {
				t.Fatalf("nothing was harmed: %d rows, %v", n, err)
			}
			var out strings.Builder
			err = verify.Run(t.Context(), verify.Options{Stores: apptest.Stores(t, dir), Accepted: strings.NewReader(accepted), Out: &out})
			if (len(c.lines) > 0) != errors.Is(err, verify.ErrBroken) || (len(c.lines) == 0) != (err == nil) {
				t.Errorf("verify ends with %v", err)
			}
			var failed []string
			for line := range strings.Lines(out.String()) {
				if what, ok := strings.CutPrefix(line, "FAIL  "); ok {
					failed = append(failed, strings.Split(what, ":")[0])
				}
			}
			if !slices.Equal(failed, c.lines) {
				t.Errorf("these lines fail: %v, not %v\n%s", failed, c.lines, out.String())
			}
		})
	}
}

func testAccepted(t *testing.T, data string) {
	for name, c := range map[string]struct{ list, want string }{
		"none":              {"", "ok    accepted: every event answered 202 is a fact or in quarantine (0)\n"},
		"another's":         {"website\t1\nforms\t1\n", "event 1 of forms was answered 202 and is nowhere"},
		"an id with spaces": {"website\t1 1\n", "event 1 1 of website was answered 202 and is nowhere"},
		"no list":           {"website 1\n", "line 1 of the accepted events is not source<TAB>id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			err := verify.Run(t.Context(), verify.Options{Stores: apptest.Stores(t, data), Accepted: strings.NewReader(c.list), Out: &out})
			if told := fmt.Sprint(out.String(), err); !strings.Contains(told, c.want) {
				t.Errorf("told %s", told)
			}
		})
	}
}

// testDoorsAway: lag that nobody shows is not 0.
func testDoorsAway(t *testing.T, data string) {
	var out strings.Builder
	err := verify.Run(t.Context(), verify.Options{
		Stores: apptest.Stores(t, data), Doors: []string{"127.0.0.1:1"}, Patience: 50 * time.Millisecond, Out: &out,
	})
	if !errors.Is(err, verify.ErrBroken) || !strings.HasPrefix(out.String(), "FAIL  drained: ") {
		t.Errorf("%v: %s", err, out.String())
	}
}

// testDrained: what is to be fetched from a sender may wait; what waits else is named.
func testDrained(t *testing.T, data string) {
	for metrics, want := range map[string]string{
		"leadpact_bus_lag_messages{consumer=\"errands\"} 1\nleadpact_bus_lag_messages{consumer=\"scoring-ingest-0\"} 0\n": "(1 still to be fetched from its sender)\n",
		"leadpact_bus_lag_messages{consumer=\"errands\"} 0\nleadpact_outbox_messages{service=\"scoring\"} 0\n":            "s\n",
		"leadpact_bus_lag_messages{consumer=\"errands\"} 1\nleadpact_bus_lag_messages{consumer=\"scoring-ingest-0\"} 2\n" +
			"leadpact_outbox_messages{service=\"handoff\"} 3\n": "messages still wait: consumer scoring-ingest-0 2, outbox of handoff 3\n",
	} {
		door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(metrics)) }))
		var out strings.Builder
		err := verify.Run(t.Context(), verify.Options{
			Stores: apptest.Stores(t, data), Doors: []string{door.Listener.Addr().String()}, Patience: 2 * time.Second, Out: &out,
		})
		door.Close()
		line, _, _ := strings.Cut(out.String(), "\n")
		waits := strings.HasPrefix(want, "messages")
		if errors.Is(err, verify.ErrBroken) != waits || strings.HasPrefix(line, "FAIL  drained: ") != waits || !strings.HasSuffix(line+"\n", want) {
			t.Errorf("%v: %s\nwant …%s", err, line, want)
		}
	}
}

// statements harms by SQL; it counts the rows of the last.
func statements(all ...string) func(context.Context, *sql.DB) (int64, error) {
	return func(ctx context.Context, db *sql.DB) (n int64, err error) {
		for _, text := range all {
			result, err := db.ExecContext(ctx, text)
			if err != nil {
				return 0, err
			}
			if n, err = result.RowsAffected(); err != nil {
				return 0, err
			}
		}
		return n, nil
	}
}

// rewrite changes the first line of a type and chains its shard anew, as somebody would who knows how.
func rewrite(typ string, change func(*store.Entry, *eventv1.Event)) func(context.Context, *sql.DB) (int64, error) {
	return func(ctx context.Context, db *sql.DB) (int64, error) {
		var head store.Head
		if err := db.QueryRowContext(ctx, `SELECT shard FROM entries WHERE type = ? LIMIT 1`, typ).Scan(&head.Shard); err != nil {
			return 0, err
		}
		rows, err := db.QueryContext(ctx, `SELECT source, event_id, type, lead, occurred_at, recorded_at, history, data FROM entries WHERE shard = ? ORDER BY seq`, head.Shard)
		if err != nil {
			return 0, err
		}
		defer rows.Close() // read to its end
		var entries []store.Entry
		changed := int64(0)
		for rows.Next() {
			e := store.Entry{Shard: head.Shard}
			var occurred, recorded int64
			if err := rows.Scan(&e.Source, &e.EventID, &e.Type, &e.Lead, &occurred, &recorded, &e.History, &e.Data); err != nil {
				return 0, err
			}
			e.OccurredAt, e.RecordedAt = event.Time(occurred), event.Time(recorded)
			if e.Type == typ && changed == 0 {
				var told eventv1.Event
				if err := proto.Unmarshal(e.Data, &told); err != nil {
					return 0, err
				}
				change(&e, &told)
				if e.Data, err = proto.Marshal(&told); err != nil {
					return 0, err
				}
				changed++
			}
			entries = append(entries, e)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return 0, err
		}
		for _, e := range entries {
			e, head = ledger.Chain(head, e)
			if _, err := db.ExecContext(ctx, `UPDATE entries SET type = ?, recorded_at = ?, data = ?, hash = ? WHERE shard = ? AND seq = ?`,
				e.Type, event.Micros(e.RecordedAt), e.Data, e.Hash, e.Shard, e.Seq); err != nil {
				return 0, err
			}
		}
		_, err = db.ExecContext(ctx, `UPDATE heads SET hash = ? WHERE shard = ?`, head.Hash, head.Shard)
		return changed, err
	}
}

// copyData copies the databases of a process that has stopped.
func copyData(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "*.db*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files to copy: %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(file)), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
