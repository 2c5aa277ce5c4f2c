package pipeline

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// template is how many leads are taken through the pipeline to be copied.
const template = 1_000

// table is what one lead leaves in a table: its columns, and those of them that name the lead or are unique.
type table struct {
	name string
	// columns, each as an SQL expression over the template's row t and the copy's number: {new} is the copy's lead, {id} makes
	// the column's own value unique.
	columns [][2]string
}

// Where a lead's rows are: what is over stays as history, so a copied lead is closed.
var (
	scoringTables = []table{
		{"leads", [][2]string{{"id", "{new}"}, {"version", ""}, {"stage", ""}, {"cycle", ""}, {"staged", ""}, {"staged_at", ""}, {"agreement", ""}, {"knowledge", ""}, {"facts", ""}, {"updated_at", ""}}},
		{"aliases", [][2]string{{"identifier", "{id}"}, {"lead", "{new}"}}},
		{"facts", [][2]string{{"source", ""}, {"id", "{id}"}, {"lead", "{new}"}, {"occurred_at", ""}, {"recorded_at", ""}, {"content_hash", ""}, {"data", ""}}},
		{"transitions", [][2]string{{"lead", "{new}"}, {"cycle", ""}, {"n", ""}, {"from_stage", ""}, {"to_stage", ""}, {"at", ""}, {"agreement", ""}, {"cause", ""}, {"data", ""}}},
	}
	handoffTables = []table{
		{"handoffs", [][2]string{{"lead", "{new}"}, {"cycle", ""}, {"version", ""}, {"state", "'closed'"}, {"result", "'won'"}, {"pool", ""}, {"grade", ""}, {"channel", ""}, {"stage", ""}, {"agreement", ""}, {"history", ""}, {"assignments", ""}, {"excluded", ""}, {"received_at", ""}, {"started_at", ""}, {"waiting_since", ""}, {"contact", ""}, {"cause", ""}}},
		{"assignments", [][2]string{{"id", "{id}"}, {"lead", "{new}"}, {"cycle", ""}, {"n", ""}, {"version", ""}, {"rep", ""}, {"team", ""}, {"pool", ""}, {"started_at", ""}, {"accepted_at", ""}, {"ended_at", "t.started_at + 1"}, {"end_reason", "'closed'"}, {"decision", ""}}},
		{"clocks", [][2]string{{"id", "{id}"}, {"lead", "{new}"}, {"cycle", ""}, {"shard", ""}, {"assignment", "t.assignment || '-' || m.n"}, {"rep", ""}, {"team", ""}, {"name", ""}, {"version", ""}, {"state", "'met'"}, {"started_at", ""}, {"due_at", ""}, {"wake_at", ""}, {"within", ""}, {"calendar", ""}, {"tzdata", ""}, {"counted", ""}, {"needed", ""}, {"warned", ""}, {"stopped_at", "t.started_at + 1"}, {"agreement", ""}}},
	}
)

// statements copy the template's rows under other names; random is the engine's way to a name like a lead's id, and series a table of
// the numbers from 1 to $1.
func statements(tables []table, lead, random, series string) []string {
	out := []string{
		`CREATE TEMPORARY TABLE mapping AS SELECT ` + lead + ` AS old, n, ` + random + ` AS new FROM ` + tables[0].name + `, ` + series,
	}
	for _, t := range tables {
		var into, from []string
		of := "t.lead"
		for _, c := range t.columns {
			into = append(into, c[0])
			switch c[1] {
			case "":
				from = append(from, "t."+c[0])
			case "{new}":
				from = append(from, "m.new")
				of = "t." + c[0]
			case "{id}":
				from = append(from, "t."+c[0]+" || '-' || m.n")
			default:
				from = append(from, c[1])
			}
		}
		out = append(out, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s t JOIN mapping m ON m.old = %s", t.name, strings.Join(into, ", "), strings.Join(from, ", "), t.name, of))
	}
	return append(out, `DROP TABLE mapping`)
}

// store puts leads into the stores: a template through the pipeline, and copies of its rows under other ids.
func (r *rig) store(ctx context.Context, leads int) error {
	if leads == 0 {
		return nil
	}
	n := min(template, leads)
	if err := r.fill(ctx, 0, n, 1); err != nil {
		return err
	}
	if _, err := r.measure(ctx, 0, n, 1, nil); err != nil {
		return err
	}
	copies := leads/n - 1
	if copies < 1 {
		return nil
	}
	if r.files == nil {
		return r.copyPostgres(ctx, copies)
	}
	return r.copySQLite(ctx, copies)
}

func (r *rig) copyPostgres(ctx context.Context, copies int) error {
	c, err := pgx.Connect(ctx, r.url)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }() // its work is committed
	for schema, tables := range map[string][]table{"leadpact_scoring": scoringTables, "leadpact_handoff": handoffTables} {
		if _, err := c.Exec(ctx, `SET search_path = `+schema); err != nil {
			return err
		}
		series := fmt.Sprintf("generate_series(1, %d) n", copies)
		for _, s := range statements(tables, key(tables), "substr(md5(random()::text), 1, 26)", series) {
			if _, err := c.Exec(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		if _, err := c.Exec(ctx, `VACUUM ANALYZE`); err != nil {
			return err
		}
	}
	_, err = c.Exec(ctx, `CHECKPOINT`)
	return err
}

func (r *rig) copySQLite(ctx context.Context, copies int) error {
	for file, tables := range map[string][]table{r.files[0]: scoringTables, r.files[1]: handoffTables} {
		db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(wal)&_pragma=synchronous(off)&_pragma=busy_timeout(5000)&_pragma=cache_size(-500000)&_pragma=temp_store(memory)")
		if err != nil {
			return err
		}
		db.SetMaxOpenConns(1)
		series := fmt.Sprintf("(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %d) SELECT n FROM s)", copies)
		for _, s := range append(statements(tables, key(tables), "lower(hex(randomblob(13)))", series), `PRAGMA wal_checkpoint(TRUNCATE)`) {
			if _, err := db.ExecContext(ctx, s); err != nil {
				_ = db.Close()
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		if err := db.Close(); err != nil {
			return err
		}
	}
	return nil
}

// key is the column of the first table that names the lead.
func key(tables []table) string { return tables[0].columns[0][0] }
