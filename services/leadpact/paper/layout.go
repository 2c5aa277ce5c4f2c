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
	Heads   []cell // of a table; none makes a list
	Entries []entry
	Goals   []goal
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
	first   string // head of the first column
	columns []column
	code    []string // facts that are conditions
	silent  []string // facts that the heading says already
	flow    bool     // clauses are short
}

// column holds facts of one clause. The first is told without its label, for the head says it, unless full.
type column struct {
	head, class string
	facts       []string
	full        bool
}

// Sections that are set in a way of their own.
const (
	aboutFront  = "The agreement" // the first page tells it
	aboutHours  = "Hours"
	aboutGoals  = "What both want to reach"
	aboutBreach = "What follows a breach"
)

// perGrade is the column that the grades take.
const perGrade = "per grade"

// plans are the sections in the order in which directors read.
func plans() []plan {
	over := []column{
		{"What is counted", "", []string{"measure", ""}, false},
		{"Target", "n", []string{"target"}, false},
		{"Each", "", []string{"each", "days of"}, false},
		{"Judged", "", []string{"from", "not below"}, true},
		{"If missed", "", []string{"remedies", "only tracked"}, false},
	}
	return []plan{
		{settings: []setting{{title: "What the words mean", code: []string{"true when"}}}},
		{settings: []setting{{title: "Whom we look for", code: []string{"when", "traits"}}}},
		{title: "Scope and services", settings: []setting{
			{title: "What it is about", code: []string{"when"}},
			{title: "What each side does for the other"},
		}},
		{title: "The way of a lead", settings: []setting{
			{title: "The funnel", first: "Stage", code: []string{"when"}, columns: []column{
				{"Entered when", "", []string{"when"}, false}, {"Answered for by", "", []string{"answered for by"}, false},
				{"And then", "", []string{"followed by", "ends the way", "takes back"}, true},
			}},
			{title: "How leads are scored", first: "Rule", code: []string{"while", "for each touch with"}, columns: []column{
				{"Points", "n", []string{""}, false}, {"For", "", []string{"while", "for each touch with"}, false}, {"Bounds", "", []string{"halved every", "at most", "within group"}, true},
			}},
			{title: "Grades", code: []string{""}, flow: true},
		}},
		{title: "The handoff", settings: []setting{
			{title: "The handoff"},
			{title: "Who gets which lead", code: []string{""}},
			{title: "Pools", flow: true},
			{title: "How many leads at most"},
			{title: "Why a lead may be given back", flow: true},
		}},
		{title: "For each lead", settings: []setting{
			{title: "What sales promises", first: "Promise", silent: []string{"grades"}, columns: []column{
				{perGrade, "n", []string{"within"}, false}, {"Hours", "", []string{"hours"}, false},
				{"Kept by", "", []string{"kept by", "how often", "channels", "kept at once by", "not sooner after another than", "not later after another than", ""}, false},
				{"Warned at", "", []string{"warnings at"}, false}, {"If missed", "", []string{"on a breach", "remedies"}, false},
			}},
			{title: "What is written down", first: "Record", silent: []string{"grades"}, columns: []column{
				{perGrade, "n", []string{"within"}, false}, {"Hours", "", []string{"hours"}, false},
				{"Fields", "", []string{"fields", "", "by"}, false}, {"From", "", []string{"from", "before"}, true}, {"If missed", "", []string{"remedies"}, false},
			}},
		}},
		{title: "Over time", settings: []setting{
			{title: "What marketing owes over time", heading: "What marketing owes sales", first: "Promise", silent: []string{"to"}, columns: over},
			{title: "What sales owes over time", heading: "What sales owes marketing", first: "Promise", silent: []string{"to"}, columns: over},
		}},
		{settings: []setting{{title: aboutBreach}}},
		{settings: []setting{{title: aboutHours}}},
		{settings: []setting{{title: "What marketing gives sales to work with"}}},
		{settings: []setting{{title: aboutGoals}}},
		{settings: []setting{{title: "When both sides meet", first: "Meeting", columns: []column{
			{"When", "", []string{"every", "first on", "at", "zone", "for"}, true}, {"With", "", []string{"with"}, false},
			{"About", "", []string{"about"}, false}, {"Figures", "", []string{"figures"}, false},
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
