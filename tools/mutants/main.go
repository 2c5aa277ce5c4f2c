// Command mutants breaks the product on purpose, one promise at a time, and lists which test turns red. A break that no test
// notices makes it fail. The tree is not touched: Go builds with an overlay.
//
//	go run ./tools/testpg -- go run ./tools/mutants [-only NAME]
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// mutant is one promise broken.
type mutant struct {
	name string
	// edits by file: each old text stands there once.
	edits []edit
	// where the tests are that must notice.
	packages []string
	run      string
}

type edit struct{ file, old, new string }

func mutants() []mutant {
	return []mutant{
		{
			name: "acknowledge before commit",
			edits: []edit{{"internal/bus/apply.go", "	for _, d := range batch {\n		found, err := event.Unpack(d.msg.Data())",
				"	for _, d := range batch {\n		_ = d.msg.Ack()\n		found, err := event.Unpack(d.msg.Data())"}},
			packages: []string{"./internal/bus/..."}, run: "Embedded",
		},
		{
			name: "no unique fact",
			edits: []edit{
				{"internal/store/sqlite/facts.go", "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, id) DO NOTHING`", "VALUES (?, ?, ?, ?, ?, ?, ?)`"},
				{"internal/store/sqlite/migrations/scoring/00001_start.sql", "PRIMARY KEY (source, id)", "CHECK (1)"},
			},
			packages: []string{"./internal/store/sqlite"},
		},
		{
			name: "no compare-and-set of clocks",
			edits: []edit{
				{"internal/store/sqlite/clocks.go", "witness = ?\n			WHERE id = ? AND state = 'open' AND version = ?`", "witness = ?\n			WHERE id = ? AND ? = ?`"},
				{"internal/store/sqlite/clocks.go", "c.Witness, c.ID, c.Version-1)", "c.Witness, c.ID, c.Version, c.Version)"},
			},
			packages: []string{"./internal/store/sqlite"},
		},
		{
			name: "no compare-and-set of clocks that fire",
			edits: []edit{
				{"internal/store/sqlite/clocks.go", "stopped_at = ?\n			WHERE id = ? AND state = 'open' AND version = ?`", "stopped_at = ?\n			WHERE id = ? AND ? = ?`"},
				{"internal/store/sqlite/clocks.go", "micros(c.StoppedAt), c.ID, c.Version-1)", "micros(c.StoppedAt), c.ID, c.Version, c.Version)"},
			},
			packages: []string{"./internal/store/sqlite"},
		},
		{
			name: "no compare-and-set of corrections",
			edits: []edit{{"internal/store/sqlite/clocks.go", "witness = ? WHERE id = ? AND state = 'breached' AND responded_at = ? AND version = ?`",
				"witness = ? WHERE id = ? AND ? < 1 AND ? > 0`"}},
			packages: []string{"./internal/store/sqlite"},
		},
		{
			name: "no unique live assignment",
			edits: []edit{
				{"internal/store/sqlite/migrations/handoff/00001_start.sql", "CREATE UNIQUE INDEX assignments_live", "CREATE INDEX assignments_live"},
			},
			packages: []string{"./internal/store/sqlite"},
		},
		{
			name:     "signatures are not looked at",
			edits:    []edit{{"internal/agreement/seal.go", "return ok && ed25519.Verify(key, sealed(s, hash), g.Value)", "return ok && len(key) > 0"}},
			packages: []string{"./internal/agreement"}, run: "Seal|OneByteFlipped",
		},
		{
			name:     "whoever names a key signs with it",
			edits:    []edit{{"internal/agreement/seal.go", "case before == nil || !before.Parties.Sign():", "case before == nil || a.Parties.Sign():"}},
			packages: []string{"./internal/agreement"}, run: "Seal",
		},
		{
			name:     "the newest version instead of the one in force",
			edits:    []edit{{"services/leadpact/app/versions.go", "		if !v.order[i].from.After(t) {", "		if i > 0 || !v.order[i].from.After(t) {"}},
			packages: []string{"./services/leadpact/app"}, run: "SecondVersionUnderLoad",
		},
		{
			name:     "a version is in force before others know of it",
			edits:    []edit{{"services/compliance/activation.go", "earliest = now.Add(notice)", "earliest = now.Add(min(notice, time.Microsecond))"}},
			packages: []string{"./services/leadpact/app"}, run: "SecondVersionUnderLoad",
		},
		{
			name: "relay by id >",
			edits: []edit{
				{"internal/store/postgres/outbox.go", "`SELECT id, partition, data FROM outbox ORDER BY id LIMIT $1`, max(limit, 0))",
					"`SELECT id, partition, data FROM outbox WHERE id > $2 ORDER BY id LIMIT $1`, max(limit, 0), b.relayed.Load())"},
				{"internal/store/postgres/outbox.go", "		relayed = len(messages)\n", "		relayed = len(messages)\n		b.relayed.Store(messages[len(messages)-1].ID)\n"},
				{"internal/store/postgres/postgres.go", "	pool   *pgxpool.Pool\n", "	pool   *pgxpool.Pool\n	relayed atomic.Int64\n"},
				{"internal/store/postgres/postgres.go", "	\"strconv\"\n", "	\"strconv\"\n	\"sync/atomic\"\n"},
			},
			packages: []string{"./internal/store/postgres"},
		},
		{
			name:     "a clock fired one second early",
			edits:    []edit{{"services/handoff/clock/clock.go", "	if !at.Before(c.DueAt) {\n		c.State, c.StoppedAt = Breached, c.DueAt", "	if !at.Add(time.Second).Before(c.DueAt) {\n		c.State, c.StoppedAt = Breached, c.DueAt"}},
			packages: []string{"./services/handoff/clock"},
		},
		{
			name:     "a fold that ignores ids",
			edits:    []edit{{"internal/lead/knowledge.go", "if id := (key{f.Source, f.ID}); !seen[id] {", "if id := (key{f.Source, f.ID}); true {"}},
			packages: []string{"./internal/lead"},
		},
		{
			name: "a stream created before its consumers",
			edits: []edit{
				{"internal/bus/declare.go", "		born.Subjects = []string{shutSubject(producer)}\n", ""},
			},
			packages: []string{"./internal/bus/..."}, run: "Embedded",
		},
	}
}

func main() {
	only := flag.String("only", "", "part of a name")
	flag.Parse()
	if err := run(*only); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(only string) error {
	root, err := exec.Command("git", "rev-parse", "--show-toplevel").Output() //nolint:noctx // at once
	if err != nil {
		return fmt.Errorf("find the checkout: %w", err)
	}
	dir, err := os.MkdirTemp("", "leadpact-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	survived, tried := 0, 0
	for _, m := range mutants() {
		if !strings.Contains(m.name, only) {
			continue
		}
		tried++
		began := time.Now()
		red, err := try(strings.TrimSpace(string(root)), dir, m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if len(red) == 0 {
			survived++
			fmt.Printf("SURVIVED  %s\n", m.name)
			continue
		}
		fmt.Printf("red       %s (%s)\n", m.name, time.Since(began).Round(time.Second))
		for _, t := range red {
			fmt.Printf("          %s\n", t)
		}
	}
	fmt.Printf("%d breaks, %d noticed\n", tried, tried-survived)
	if survived > 0 {
		return errors.New("a break was not noticed")
	}
	return nil
}

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// try runs the tests with the break in place and returns those that fail.
func try(root, dir string, m mutant) ([]string, error) {
	replaced := map[string]string{}
	for i, e := range m.edits {
		from := filepath.Join(root, e.file)
		path := from
		if earlier, ok := replaced[from]; ok {
			path = earlier
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if strings.Count(string(text), e.old) != 1 {
			return nil, fmt.Errorf("%s has changed: what is to be broken stands there %d times", e.file, strings.Count(string(text), e.old))
		}
		to := filepath.Join(dir, fmt.Sprintf("%d-%s", i, filepath.Base(e.file)))
		if err := os.WriteFile(to, []byte(strings.Replace(string(text), e.old, e.new, 1)), 0o600); err != nil { //nolint:gosec // names come from the table above
			return nil, err
		}
		replaced[from] = to
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return nil, err
	}
	args := []string{"test", "-count=1", "-timeout=180s", "-overlay", file}
	if m.run != "" {
		args = append(args, "-run", m.run)
	}
	cmd := exec.Command("go", append(args, m.packages...)...) //nolint:noctx // the tests' own time-out bounds it
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil, nil
	}
	if strings.Contains(string(out), "[build failed]") || strings.Contains(string(out), "[setup failed]") {
		return nil, fmt.Errorf("the broken code does not build:\n%s", out)
	}
	var red []string
	for _, match := range failed.FindAllStringSubmatch(string(out), -1) {
		red = append(red, match[1])
	}
	if len(red) == 0 {
		red = []string{"the run itself: " + lastLine(out)}
	}
	slices.Sort(red)
	return deepest(slices.Compact(red)), nil
}

// deepest leaves out a test that is named only because a part of it failed.
func deepest(names []string) []string {
	var out []string
	for i, n := range names {
		if i+1 < len(names) && strings.HasPrefix(names[i+1], n+"/") {
			continue
		}
		out = append(out, n)
	}
	return out
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
