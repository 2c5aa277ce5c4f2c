package agreement

import (
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// Roster is the second file: people and dated exceptions. It is not signed, has its own history, and always applies as of now.
type Roster struct {
	// Hash is the hex SHA-256 of Text, which is Canonical.
	Hash      string
	Text      []byte
	Teams     []Team
	Reps      []Rep
	Calendars []calendar.Spec
	// Notices are the addresses that are told by signed webhook.
	Notices []Endpoint

	// Where values stand in the text, for faults that show only together with an agreement.
	file   string
	places map[string]place
}

// Team is a group of reps.
type Team struct {
	Name    string
	Manager string
}

// Rep is one person who takes leads.
type Rep struct {
	ID   string
	Team string
	// Weight is the rep's share of a pool, at least 1.
	Weight int
	// Capacity is how many live assignments the rep can hold, at least 1.
	Capacity int
	// Calendar is the rep's hours by name, of the roster or the agreement; empty means always.
	Calendar string
	Absences []Absence
	// Notice is the endpoint's name that tells this rep; empty means every endpoint without reps of its own.
	Notice string
	// Skills are what pools may ask for: a language, a territory, a product.
	Skills []string
}

// Absence is [From, To): no lead is handed to the rep in it.
type Absence struct {
	From, To time.Time
	Why      string
}

// Endpoint is where notices go.
type Endpoint struct {
	Name string
	URL  string
	// Secret is a reference, "env:NAME" or "file:PATH", to a Standard Webhooks secret.
	Secret string
}

// People are the ids of all whom the agreement concerns, sorted: the reps and the managers of teams.
func (r *Roster) People() []string {
	var out []string
	for _, rep := range r.Reps {
		out = append(out, rep.ID)
	}
	for _, t := range r.Teams {
		if t.Manager != "" {
			out = append(out, t.Manager)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Absent says whether the rep is away at t.
func (r Rep) Absent(t time.Time) bool {
	for _, a := range r.Absences {
		if !t.Before(a.From) && t.Before(a.To) {
			return true
		}
	}
	return false
}
