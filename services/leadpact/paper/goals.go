package paper

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/leadpact/leadpact/internal/agreement"
)

// goal is the way from revenue back to leads.
type goal struct {
	entry
	Stages []string
	Rows   []goalRow
}

// goalRow has a cell for each stage; empty ones say nothing.
type goalRow struct {
	Name  string
	Cells []string
	Sum   bool
}

func (s *setter) goals(section agreement.Section) []goal {
	var out []goal
	for i, c := range section.Clauses {
		g, speech := s.a.Goals[i], newSpeech(c)
		speech.take(bare, "comes on to", "teams") // the table says both
		x := goal{entry: entry{Name: c.Subject, Pending: c.Pending, Says: speech.rest()}}
		needs := g.Funnel(s.a.Stages[0].Name)
		share := goalRow{Name: "of the stage before", Cells: []string{""}}
		all := goalRow{Name: "leads needed", Sum: true}
		split := make([]goalRow, len(g.Teams))
		weights := make([]float64, len(g.Teams))
		for k, t := range g.Teams {
			split[k].Name, weights[k] = t.Team+" "+percent(t.Of), t.Of
		}
		for k, n := range needs {
			x.Stages = append(x.Stages, n.Stage)
			all.Cells = append(all.Cells, thousands(n.Count))
			if k > 0 {
				share.Cells = append(share.Cells, percent(g.Rates[k-1].Of))
			}
			for team, count := range agreement.Split(n.Count, weights) {
				split[team].Cells = append(split[team].Cells, thousands(count))
			}
		}
		x.Rows = append([]goalRow{share, all}, split...)
		out = append(out, x)
	}
	return out
}

// percent writes a share 0..1 as the contract does.
func percent(of float64) string {
	return strconv.FormatFloat(math.Round(of*1e6)/1e4, 'f', -1, 64) + "\u00a0%"
}

// thousands writes a count with the thousands apart: "12,000".
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
