// Package agreement is the signed document: parsed, checked and compiled into what the services run. It is pure.
package agreement

import (
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/internal/preset"
)

// Agreement is one compiled version. It is immutable and safe for concurrent use.
type Agreement struct {
	Title   string
	Version string
	// Follows is the hash of the version that it comes after; empty when the text names none.
	Follows string
	// UnderWay is what becomes of clocks that run when this version comes into force.
	UnderWay UnderWay
	// Summary is for those who sign; at most half a page.
	Summary string
	Parties Parties
	// Hash is the hex SHA-256 of Text, which is Canonical.
	Hash string
	Text []byte

	Terms    []Term
	Personas []Persona
	ICP      *ICP // nil when nobody says who it is
	Scope    Scope
	Services []Service

	Fields    []Field
	Channels  []string
	Consent   Consent
	Sources   []Source
	Calendars []calendar.Spec
	Scoring   Scoring
	Grades    []Grade
	// Stages in the order of the funnel; the first is where every lead begins.
	Stages  []Stage
	Handoff Handoff
	Pools   []Pool
	Caps    []Cap
	Clocks  []Clock
	Records []Record
	// Rejections a rep may give a lead back with, by reason.
	Rejections  []Rejection
	Obligations []Obligation
	Ladders     []Ladder

	Assets       []Asset
	Goals        []Goal
	Meetings     []Meeting
	Review       *Review
	Disputes     *Disputes
	Transparency *Transparency
	Acknowledge  *Acknowledge
	Baseline     Baseline
	Proposals    []Proposal

	// Where values stand in the text, for faults that show only together with a roster.
	file        string
	places      map[string]place
	definitions []definition
	pending     []Fault
	joined      Joined // when it was read from files
}

// Parties are the people who answer for the two sides.
type Parties struct {
	Marketing Party
	Sales     Party
}

// Party is who answers for a side.
type Party struct {
	Name string
	// Role in the company: "VP Marketing"; may be empty.
	Role string
	// Key is the public key that the side signs with, "ed25519:" and its base64. Either both parties have one or none has.
	Key string
}

// FieldType is what values a profile field takes.
type FieldType string

// The field types.
const (
	Text   FieldType = "text"
	Number FieldType = "number"
	Flag   FieldType = "flag"
)

// Field is one thing that the parties want to know of a lead.
type Field struct {
	Name string
	Type FieldType
	// Precedence ranks sources for this field, best first; a source that is not listed ranks below all that are.
	Precedence []string
	// Ask is the question that asks a lead for it.
	Ask string
}

// Source is one sender of webhooks.
type Source struct {
	Name string
	// Tool is the preset that it posts by: a tool's, or one of the plain forms'.
	Tool   preset.Preset
	Verify Verify
	// Map says where in the body each thing stands: the preset's, and over it what the agreement says.
	Map preset.Mapping
	// Accounts of the tool whose events are taken, as its bodies name them; none lists all.
	Accounts []string
	// Limit is how much it may post.
	Limit Limit
	// Channel of the leads it brings when the body names none.
	Channel string
	// History says that the source may send events in mode history.
	History bool
	// Witness says that its word on sales' work counts although it comes late.
	Witness bool
	// Fetch is the reference to the token with which what the source leaves out is fetched; "" fetches nothing.
	Fetch string

	own preset.Mapping
}

// OwnMap is what the agreement itself says of where things stand, without the preset's places.
func (s Source) OwnMap() preset.Mapping { return s.own }

// Verify is a source's proof. Secrets are references, "env:NAME" or "file:PATH", one or two for rotation.
type Verify struct {
	preset.Proof
	Secrets []string
}

// Limit bounds what a source may post; zero bounds nothing.
type Limit struct {
	// PerSecond is requests a second over time, Burst how many may come at once.
	PerSecond float64
	Burst     int
}

// Scoring is how points are given.
type Scoring struct {
	Rules  []Rule
	Groups []Group

	places   map[string]int // by the rules' names
	when, on index
}

// Rule gives points. A fit rule looks at what is known (When); an engagement rule looks at each touch (On) and decays.
type Rule struct {
	Name   string
	Points float64
	// Exactly one of the two is set.
	When *Condition
	On   *Condition
	// HalfLife of an engagement rule's points; zero means they stay.
	HalfLife time.Duration
	// Cap bounds an engagement rule's sum, by absolute value; zero means no bound.
	Cap float64
	// Group bounds it together with others; empty means none does.
	Group string
}

// Grade sorts leads for promises; the first whose condition holds is the lead's.
type Grade struct {
	Name string
	When *Condition // nil holds always
}

// Stage is one step of the funnel.
type Stage struct {
	Name string
	// When is the guard for entering; nil for the first stage and for the recycled one, which a rejection leads to.
	When *Condition
	// Final ends the cycle: won, lost.
	Final bool
	// Recycled marks the stage that a lead given back returns to; a newer outside touch begins the next cycle from it.
	Recycled bool
	// Owner answers for a lead that stands there: as the text says, or sales from the handoff on until the lead is given back.
	Owner Side
	// Next are the stages that may follow; empty means every later one.
	Next []string
}

// Handoff is the point where marketing's lead becomes sales'.
type Handoff struct {
	// At is the stage that starts it.
	At string
	// Routes in order; the first whose condition holds names the pool. The last holds always.
	Routes []Route
	// Unassigned is the promise on a lead that nobody was eligible for; it stops when somebody is, so StopsOn is empty.
	Unassigned Clock
	Needs      Needs
}

// Route sends leads to a pool.
type Route struct {
	When *Condition // nil holds always
	Pool string
}

// Pool is a set of reps that share leads by weight.
type Pool struct {
	Name string
	// Teams whose members belong to it.
	Teams []string
	// Rotation is weighted or equal; empty means weighted.
	Rotation string
	Skills   []Skill
}

// Remedy is what happens on a breach.
type Remedy string

// The remedies.
const (
	Notify   Remedy = "notify"
	Reassign Remedy = "reassign"
)

// Clock is a promise: within Within of open time something has happened Count times.
type Clock struct {
	Name string
	Says string
	// Grades it holds for; empty means all.
	Grades []string
	// StopsOn are the activity kinds that count.
	StopsOn []string
	// Count of them that keep the promise; at least 1. MetBy kinds keep it at once, whatever the count.
	Count    int
	MetBy    []string
	Within   time.Duration
	Calendar string // a calendar's name, "always", or "rep" for the rep's own hours
	// Warn at these percentages of the promise, ascending.
	Warn   []int
	Breach Remedy
	// Channels is on how many different ones the attempts must be made; 0 means any.
	Channels int
	// Least and Most bound the time between two attempts; 0 means any.
	Least, Most time.Duration
	// Remedies is the ladder that follows; empty means none.
	Remedies string
}

// Rejection is one reason to give a lead back.
type Rejection struct {
	Reason string
	// Recycle sends the lead back to marketing; otherwise another rep gets it.
	Recycle bool
}

// Lead is what a condition may look at. Missing fields read as "", 0 and false; Known tells them apart.
type Lead struct {
	// By declared field: string, float64 or bool.
	Fields     map[string]any
	Score      float64
	Fit        float64
	Engagement float64
	Stage      string
	Grade      string
	Channel    string
	Source     string
	// Did counts activities and outcomes by kind in the present cycle.
	Did map[string]int64
	// Granted are the purposes that the person allows.
	Granted map[string]bool
}

// Touch is one outside event as an engagement rule sees it.
type Touch struct {
	Kind    string
	Source  string
	Channel string
	Fields  map[string]any
}

// Source returns the sender by name.
func (a *Agreement) Source(name string) (Source, bool) {
	for _, s := range a.Sources {
		if s.Name == name {
			return s, true
		}
	}
	return Source{}, false
}

// Calendar returns a calendar of the agreement by name.
func (a *Agreement) Calendar(name string) (calendar.Spec, bool) {
	for _, c := range a.Calendars {
		if c.Name == name {
			return c, true
		}
	}
	return calendar.Spec{}, false
}

// TeamsOf returns the teams whose members belong to a pool.
func (a *Agreement) TeamsOf(pool string) []string {
	for _, p := range a.Pools {
		if p.Name == pool {
			return p.Teams
		}
	}
	return nil
}

// ClocksFor returns the promises on a lead of this grade, in the order of the document.
func (a *Agreement) ClocksFor(grade string) []Clock {
	var out []Clock
	for _, c := range a.Clocks {
		if len(c.Grades) == 0 {
			out = append(out, c)
			continue
		}
		for _, g := range c.Grades {
			if g == grade {
				out = append(out, c)
				break
			}
		}
	}
	return out
}
