package paper

// chapter is what stands under one number.
type chapter struct {
	ID      string
	No      int
	Title   string
	Pending bool
	Parts   []part
}

// part is one section of the contract as it is set.
type part struct {
	Title   string // empty where the chapter's says it
	Pending bool
	Note    string
	Flow    bool   // short clauses, several on a line
	Heads   []head // of a table; none makes a list
	Entries []entry
	Goals   []goal
}

// head is the top of a column.
type head struct {
	Text  string
	Wide  int // in percent; 0 is what the others leave
	Right bool
}

// plan says which sections of the contract stand under one title.
type plan struct {
	title    string // empty for that of its only section
	settings []setting
}

// setting says how a section is set. Facts that it does not name follow the clause's name, so that none is lost.
type setting struct {
	title   string // as the contract has it
	heading string // instead of it
	first   string // head of the first column, and how wide it is
	wide    int
	columns []column
	code    []string // facts that are conditions
	silent  []string // facts that the heading says already
	flow    bool     // clauses are short
}

// column holds facts of one clause.
type column struct {
	head  string
	wide  int // in percent of the table; 0 is what the others leave
	facts []string
	say   labels
	right bool // figures
}

// labels says which facts of a column are told with what they say something of.
type labels int

const (
	headed labels = iota // all but the first, for the head says it of that one
	full
	bare
)

// Sections that are set in a way of their own.
const (
	aboutFront  = "The agreement" // the first page tells it
	aboutHours  = "Hours"
	aboutGoals  = "What both want to reach"
	aboutBreach = "What follows a breach"
)

// perGrade is the head of the column that becomes one for each grade.
const perGrade = "per grade"

// plans are the sections in the order in which directors read.
func plans() []plan {
	over := []column{
		{head: "What is counted", facts: []string{"measure", ""}},
		{head: "Target", wide: 25, facts: []string{"target", "each"}},
		{head: "Judged", wide: 16, facts: []string{"from", "not below", "days of"}, say: full},
		{head: "If missed", wide: 14, facts: []string{"remedies", "only tracked"}, say: bare},
	}
	within := column{head: perGrade, wide: 10, facts: []string{"within"}, right: true}
	when := column{head: "Hours", wide: 10, facts: []string{"hours"}}
	return []plan{
		{settings: []setting{{title: "What the words mean", code: []string{"true when"}}}},
		{settings: []setting{{title: "Whom we look for", code: []string{"when", "traits"}}}},
		{title: "Scope and services", settings: []setting{
			{title: "What it is about", code: []string{"when"}},
			{title: "What each side does for the other"},
		}},
		{title: "The way of a lead", settings: []setting{
			{title: "The funnel", first: "Stage", wide: 16, code: []string{"when"}, columns: []column{
				{head: "Entered when", facts: []string{"when"}},
				{head: "Answered for by", wide: 17, facts: []string{"answered for by"}},
				{head: "And then", wide: 24, facts: []string{"followed by", "ends the way", "takes back"}, say: full},
			}},
			{title: "How leads are scored", first: "Rule", wide: 16, code: []string{"while", "for each touch with"}, columns: []column{
				{head: "Points", wide: 10, facts: []string{""}, right: true},
				{head: "For", facts: []string{"while", "for each touch with"}},
				{head: "Bounds", wide: 26, facts: []string{"halved every", "at most", "within group"}, say: full},
			}},
			{title: "Grades", code: []string{""}, flow: true},
		}},
		{title: "The handoff", settings: []setting{
			{title: "The handoff"},
			{title: "What people allow", flow: true},
			{title: "Who gets which lead", code: []string{""}},
			{title: "Pools", flow: true},
			{title: "How many leads at most"},
			{title: "Why a lead may be given back", flow: true},
		}},
		{title: "Promises for each lead", settings: []setting{
			{title: "What sales promises", first: "Promise", wide: 15, silent: []string{"grades"}, columns: []column{
				within, when,
				{head: "Kept by", facts: []string{"kept by", "how often", "channels", "kept at once by", "not sooner after another than", "not later after another than", ""}},
				{head: "Warned at", wide: 11, facts: []string{"warnings at"}},
				{head: "If missed", wide: 14, facts: []string{"on a breach", "remedies"}, say: bare},
			}},
			{title: "What is written down", first: "Record", wide: 15, silent: []string{"grades"}, columns: []column{
				within, when,
				{head: "Fields", facts: []string{"fields", ""}},
				{head: "From", wide: 15, facts: []string{"from", "by", "before"}},
				{head: "If missed", wide: 12, facts: []string{"remedies"}},
			}},
		}},
		{title: "Promises over time", settings: []setting{
			{title: "What marketing owes over time", heading: "What marketing owes sales", first: "Promise", wide: 17, silent: []string{"to"}, columns: over},
			{title: "What sales owes over time", heading: "What sales owes marketing", first: "Promise", wide: 17, silent: []string{"to"}, columns: over},
		}},
		{settings: []setting{{title: aboutBreach}}},
		{settings: []setting{{title: aboutHours}}},
		{settings: []setting{{title: "What marketing gives sales to work with"}}},
		{settings: []setting{{title: aboutGoals}}},
		{settings: []setting{{title: "When both sides meet", first: "Meeting", wide: 12, columns: []column{
			{head: "When", wide: 31, facts: []string{"every", "first on", "at", "zone", "for"}, say: full},
			{head: "With", wide: 18, facts: []string{"with"}},
			{head: "About", facts: []string{"about"}},
			{head: "Figures", wide: 19, facts: []string{"figures"}},
		}}}},
		{settings: []setting{{title: "The agreement itself"}}},
	}
}

// annex are the sections for machines. They are signed with the rest and stand on the screen; on paper one line says where.
func annex() []setting {
	return []setting{
		{title: "What both want to know of a lead"},
		{title: "Channels"},
		{title: "Where leads come from"},
	}
}
