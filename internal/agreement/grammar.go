package agreement

// The grammar says which keys every part of the two files has and what stands there. The readers hold a file against it, and the
// JSON Schema for editors is written from it.

// shape is one kind of mapping.
type shape struct {
	what string // as faults call it: "a clock"
	keys []member
	// single says that one of the keys is written, and no other.
	single bool
}

// member is one key of a shape.
type member struct {
	key  string
	form form
	need bool
	says string // for the person who writes the file
}

// names are the shape's keys.
func (s *shape) names() []string {
	out := make([]string, 0, len(s.keys))
	for _, m := range s.keys {
		out = append(out, m.key)
	}
	return out
}

// form is what a value looks like: a fragment of JSON Schema, and the shapes that it refers to.
type form struct {
	schema map[string]any
	shapes []*shape
}

func must(key string, f form, says string) member {
	return member{key: key, form: f, need: true, says: says}
}
func may(key string, f form, says string) member { return member{key: key, form: f, says: says} }

// The forms. A scalar that people write without quotes may look like a number to an editor.
var (
	aText      = form{schema: map[string]any{"type": []string{"string", "number"}, "minLength": 1, "maxLength": 500}}
	aName      = form{schema: map[string]any{"type": []string{"string", "number"}, "pattern": nameForm.String()}}
	aFlag      = form{schema: map[string]any{"type": "boolean"}}
	aNumber    = form{schema: map[string]any{"type": "number", "minimum": -1e6, "maximum": 1e6}}
	aCount     = form{schema: map[string]any{"type": "integer", "minimum": 1}}
	anAmount   = form{schema: map[string]any{"type": "number", "exclusiveMinimum": 0}}
	aPercent   = form{schema: map[string]any{"type": []string{"string", "integer"}, "pattern": `^[0-9]{1,3}%?$`, "minimum": 0, "maximum": 100}}
	aDuration  = form{schema: map[string]any{"type": "string", "pattern": `^([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$`, "minLength": 2}}
	aDate      = form{schema: map[string]any{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`}}
	aTimeOfDay = form{schema: map[string]any{"type": "string", "pattern": `^[0-9]{2}:[0-9]{2}$`}}
	aCondition = form{schema: map[string]any{"type": []string{"string", "boolean"}, "maxLength": maxCondition}}
	aPath      = form{schema: map[string]any{"type": "string", "pattern": pathForm.String()}}
	aPlace     = listOf(listOf(aPath))
	aSecret    = form{schema: map[string]any{"type": "string", "pattern": secretForm.String()}}
	nothing    = form{schema: map[string]any{"type": "null"}}
	anAddress  = form{schema: map[string]any{"type": "string", "pattern": "^https?://"}}
	hoursOfDay = either(form{schema: map[string]any{"type": "string"}}, form{schema: map[string]any{"type": "array", "items": map[string]any{"type": "string"}}})
)

// wordOf is one of the language's words.
func wordOf(words ...string) form { return form{schema: map[string]any{"enum": words}} }

// one is a mapping.
func one(s *shape) form { return form{schema: reference(s), shapes: []*shape{s}} }

// rowsOf is a list of mappings.
func rowsOf(s *shape) form {
	return form{schema: map[string]any{"type": "array", "items": reference(s)}, shapes: []*shape{s}}
}

// listOf is a list; one value stands for a list of one.
func listOf(f form) form {
	return form{schema: map[string]any{"anyOf": []any{f.schema, map[string]any{"type": "array", "items": f.schema}}}, shapes: f.shapes}
}

// namedBy is a mapping whose keys are names of the writer's choice.
func namedBy(f form) form {
	return form{schema: map[string]any{"type": "object", "additionalProperties": f.schema}, shapes: f.shapes}
}

func either(forms ...form) form {
	var out form
	var all []any
	for _, f := range forms {
		all = append(all, f.schema)
		out.shapes = append(out.shapes, f.shapes...)
	}
	out.schema = map[string]any{"anyOf": all}
	return out
}

// activity is a word that clocks stop on.
var activity = wordOf(Kinds()...)

// The agreement.
var agreementShape = shape{what: "an agreement", keys: []member{
	must("title", aText, "What it is called."),
	must("version", aText, "The version, as people say it."),
	may("follows", form{schema: map[string]any{"type": "string", "pattern": hashForm.String()}}, "The hash of the version that it comes after, as leadpact versions prints it."),
	may("under_way", wordOf(string(Stay), string(Move)), "Whether clocks that run when it comes into force stay under their version, or move to this one; stay unless given."),
	may("summary", form{schema: map[string]any{"type": "string", "maxLength": maxSummary}}, "What it is for, in a few sentences for those who sign."),
	may("include", listOf(aText), "Files beside this one that hold other parts of the agreement."),
	must("parties", one(&partiesShape), "Who answers for each side."),
	may("terms", namedBy(either(aText, one(&termShape))), "Words that both sides use in one sense."),
	may("personas", rowsOf(&personaShape), "Whom the leads are, by what is known of them."),
	may("icp", one(&icpShape), "The ideal customer."),
	may("fields", namedBy(either(wordOf(string(Text), string(Number), string(Flag)), one(&fieldShape))), "What both sides want to know of a lead."),
	may("channels", listOf(aName), "The ways on which leads come."),
	may("consent", one(&consentShape), "What a person is asked to allow, and what a handoff needs of it."),
	must("sources", namedBy(one(&sourceShape)), "Who sends webhooks."),
	may("calendars", namedBy(one(&calendarShape)), "Hours in which promised time runs."),
	may("groups", namedBy(one(&groupShape)), "Bounds on what several scoring rules bring together."),
	may("scoring", rowsOf(&ruleShape), "How leads get points."),
	may("grades", rowsOf(&gradeShape), "Sorts leads for promises; the first whose condition holds."),
	must("stages", rowsOf(&stageShape), "The funnel, in order."),
	may("scope", one(&scopeShape), "What the agreement is about, and what it is not."),
	must("handoff", one(&handoffShape), "The point where marketing's lead becomes sales'."),
	must("pools", namedBy(one(&poolShape)), "Who shares leads."),
	may("caps", rowsOf(&capShape), "How many leads may come in a time; what comes above waits."),
	must("clocks", rowsOf(&clockShape), "What sales does with a lead, and until when."),
	may("records", rowsOf(&recordShape), "What is written down about a lead, and until when."),
	may("rejections", namedBy(wordOf("recycle", string(Reassign))), "Why a rep may give a lead back, and where it goes."),
	may("services", namedBy(one(&serviceShape)), "What each side does for the other, and the promises that measure it."),
	may("obligations", rowsOf(&obligationShape), "What a side owes over a period."),
	may("remedies", namedBy(rowsOf(&stepShape)), "What follows when a promise is broken, step by step."),
	may("assets", rowsOf(&assetShape), "What marketing gives sales to work with."),
	may("goals", rowsOf(&goalShape), "From revenue back to leads."),
	may("meetings", rowsOf(&meetingShape), "When both sides meet, and over which figures."),
	may("review", one(&reviewShape), "When the agreement itself is looked at again."),
	may("disputes", one(&disputesShape), "How a verdict is contested."),
	may("transparency", one(&transparencyShape), "Who sees whose figures."),
	may("acknowledge", one(&acknowledgeShape), "By whom a new version is to be read."),
	may("baseline", one(&baselineShape), "The time before the agreement, to compare with."),
	may("proposals", rowsOf(&proposalShape), "Who asked for which clause."),
}}

var (
	side         = wordOf(string(Marketing), string(Sales))
	partiesShape = shape{what: "parties", keys: []member{
		must("marketing", either(aText, one(&partyShape)), "Who answers for marketing."),
		must("sales", either(aText, one(&partyShape)), "Who answers for sales."),
	}}
	partyShape = shape{what: "a party", keys: []member{
		must("name", aText, ""),
		may("role", aText, ""),
		may("key", form{schema: map[string]any{"type": "string", "pattern": "^" + keyMark}}, "The public key that signs, as leadpact keygen prints it."),
	}}
	termShape = shape{what: "a term", keys: []member{
		may("says", aText, "What it means, in words."),
		may("when", aCondition, "The rule: what holds of a lead that it is true of."),
		may("stage", aName, "The stage that such a lead stands at."),
		may("bant", one(&bantShape), "The four fields that must be known."),
		may("checklist", namedBy(aName), "The fields that must be known, by what they stand for."),
		may("review_by", aDate, "The day by which both sides look at it again."),
	}}
	bantShape = shape{what: "bant", keys: []member{
		must("budget", aName, "The field that tells the budget."),
		must("authority", aName, "The field that tells who decides."),
		must("need", aName, "The field that tells the need."),
		must("timing", aName, "The field that tells when."),
	}}
	personaShape = shape{what: "a persona", keys: []member{
		must("name", aName, ""),
		may("says", aText, "Who it is, in words."),
		must("traits", rowsOf(&traitShape), "What speaks for it."),
		may("least", aPercent, "The share of the traits' weight that must hold; all of it unless given."),
		may("worth", one(&worthShape), "What a lead of it is worth, for volume by value."),
		may("owner", side, "Who keeps it up to date."),
		may("evidence", aText, "Where it comes from: interviews, data, sales' word."),
		may("review_by", aDate, "The day by which both sides look at it again."),
	}}
	traitShape = shape{what: "a trait", keys: []member{
		must("when", aCondition, "What holds of a lead that has it."),
		may("weight", aCount, "How much it says; 1 unless given."),
	}}
	worthShape = shape{what: "worth", keys: []member{
		must("win_rate", aPercent, "The share of such leads that become customers."),
		must("deal", anAmount, "What such a deal brings."),
	}}
	icpShape = shape{what: "the ideal customer", keys: []member{
		must("when", aCondition, "What holds of a lead that fits; conditions name it is(\"icp\")."),
		may("says", aText, "In words."),
		may("owner", side, "Who keeps it up to date."),
		may("evidence", aText, "Where it comes from."),
		may("review_by", aDate, "The day by which both sides look at it again."),
	}}
	fieldShape = shape{what: "a field", keys: []member{
		must("type", wordOf(string(Text), string(Number), string(Flag)), "What values it takes."),
		may("precedence", listOf(aName), "The sources whose word counts, best first."),
		may("ask", aText, "The question that asks a lead for it."),
	}}
	consentShape = shape{what: "consent", keys: []member{
		must("purposes", listOf(aName), "What is asked for, as marketing; contact is there without being named."),
		may("needed", listOf(aName), "The purposes without which a lead is not handed off."),
	}}
	calendarShape = shape{what: "a calendar", keys: []member{
		must("zone", aText, "IANA zone of all times and dates in it."),
		may("hours", namedBy(hoursOfDay), "An ordinary week: mon-fri: 09:00-17:00."),
		may("dates", namedBy(hoursOfDay), "Replaces the ordinary hours of a date."),
		may("breaks", namedBy(hoursOfDay), "Closed within the hours of a date."),
		may("holidays", form{schema: map[string]any{"type": "array", "items": aDate.schema}}, "Closed, whatever else says."),
	}}
	groupShape = shape{what: "a group", keys: []member{
		must("cap", anAmount, "The most that its rules can bring together."),
	}}
	ruleShape = shape{what: "a scoring rule", keys: []member{
		must("name", aName, ""),
		must("points", aNumber, "May be negative."),
		may("when", aCondition, "Gives the points while it holds of the lead."),
		may("on", aCondition, "Gives the points for each touch."),
		may("half_life", aDuration, "Of points for touches, as they age."),
		may("cap", anAmount, "The most that the rule can bring, or take."),
		may("group", aName, "The group that bounds it together with others."),
	}}
	gradeShape = shape{what: "a grade", keys: []member{
		must("name", aName, ""),
		may("when", aCondition, "None holds always, and stands last."),
	}}
	stageShape = shape{what: "a stage", keys: []member{
		must("name", aName, ""),
		may("when", aCondition, "What leads to it."),
		may("final", aFlag, "Ends the lead's way."),
		may("recycled", aFlag, "A lead that is given back returns to it."),
		may("owner", side, "Who answers for a lead that stands there; sales from the handoff on, and marketing otherwise."),
		may("next", listOf(aName), "The stages that may follow; every later one unless given."),
	}}
	scopeShape = shape{what: "the scope", keys: []member{
		may("includes", listOf(aText), "What the agreement is about, in words."),
		may("excludes", rowsOf(&exclusionShape), "Leads that it is not about."),
	}}
	exclusionShape = shape{what: "an exclusion", keys: []member{
		must("name", aName, ""), must("when", aCondition, "What holds of such a lead."), may("says", aText, "Why."),
	}}
	handoffShape = shape{what: "the handoff", keys: []member{
		must("at", aName, "The stage that starts it."),
		may("needs", one(&needsShape), "What must be known before it."),
		must("routes", rowsOf(&routeShape), "The first whose condition holds names the pool."),
		must("unassigned", one(&unassignedShape), "The promise on a lead that nobody could take."),
	}}
	needsShape = shape{what: "what the handoff needs", keys: []member{
		may("fields", listOf(aName), "Fields that must be known."),
		may("persona", aFlag, "The lead must be one of the personas."),
		may("waiver", aText, "Who may let a lead pass without."),
	}}
	routeShape = shape{what: "a route", keys: []member{
		may("when", aCondition, "The last route has none."), must("pool", aName, ""),
	}}
	unassignedShape = shape{what: "the unassigned promise", keys: []member{
		must("within", aDuration, ""), must("calendar", aName, ""), may("warn", listOf(aPercent), "Warnings, ascending."),
	}}
	poolShape = shape{what: "a pool", keys: []member{
		must("teams", listOf(aName), "Teams of the roster."),
		may("rotation", wordOf("weighted", "equal"), "Shares by the reps' weights, or the same for all; weighted unless given."),
		may("skills", rowsOf(&skillShape), "What a rep must be able to do for certain leads."),
	}}
	skillShape = shape{what: "a skill", keys: []member{
		must("when", aCondition, "The leads that ask for it."), must("skill", aName, "As the roster names it: a language, a territory, a product."),
	}}
	capShape = shape{what: "a cap", keys: []member{
		must("name", aName, ""),
		must("per", wordOf("rep", "team", "all"), "Whose leads are counted together."),
		must("most", aCount, ""),
		must("window", wordOf("day", "week", "month"), ""),
		may("overflow", one(&overflowShape), "Until when a lead above the cap is taken."),
	}}
	overflowShape = shape{what: "the overflow", keys: []member{
		must("within", aDuration, ""), must("calendar", aName, ""),
	}}
	clockShape = shape{what: "a clock", keys: []member{
		must("name", aName, ""),
		may("says", aText, "In words."),
		may("grades", listOf(aName), "The leads that it holds for; all unless given."),
		must("within", aDuration, "Open time until the promise is broken."),
		must("calendar", aName, "When time runs: a calendar, always, or rep."),
		must("stops_on", listOf(activity), "What counts."),
		may("count", aCount, "How many of them keep the promise; 1 unless given."),
		may("met_by", listOf(activity), "What keeps the promise at once."),
		may("channels", aCount, "On how many different channels the attempts must be made."),
		may("spacing", one(&spacingShape), "The time between two attempts."),
		may("warn", listOf(aPercent), "Warnings, ascending."),
		may("on_breach", wordOf(string(Notify), string(Reassign)), "What follows at once; notify unless given."),
		may("remedies", aName, "What follows further, step by step."),
	}}
	spacingShape = shape{what: "the spacing", keys: []member{
		may("least", aDuration, ""), may("most", aDuration, ""),
	}}
	recordShape = shape{what: "a record", keys: []member{
		must("name", aName, ""),
		may("says", aText, "In words."),
		must("party", side, "Who writes it down."),
		may("stage", aName, "The time runs from entering it; from the handoff unless given."),
		may("grades", listOf(aName), "The leads that it holds for; all unless given."),
		must("fields", listOf(aName), "What must be known."),
		must("within", aDuration, ""),
		must("calendar", aName, ""),
		may("before_attempt", aCount, "It comes before the attempt of this number."),
		may("remedies", aName, "What follows when it is missing."),
	}}
	serviceShape = shape{what: "a service", keys: []member{
		must("party", side, "Who does it."),
		must("says", aText, "What it is."),
		may("stages", listOf(aName), "The stages that it serves."),
		must("promises", listOf(aName), "The clocks, records and obligations that measure it."),
	}}
	obligationShape = shape{what: "an obligation", keys: []member{
		must("name", aName, ""),
		may("says", aText, "In words."),
		must("party", side, "Who owes it."),
		must("counterparty", side, "To whom."),
		must("measure", one(&measureShape), "What is counted."),
		must("target", either(aPercent, anAmount, aDuration), "How much of it: a number, a percentage, or a time, as the measure asks."),
		must("period", wordOf("week", "month", "quarter", "year"), ""),
		must("calendar", aName, "Whose days make the pace; always is every day."),
		may("least", aCount, "No verdict over fewer cases."),
		may("floor", aPercent, "Warn below this share of the pace."),
		may("tracked", aFlag, "It is counted and shown, and nobody is held to it."),
		may("remedies", aName, "What follows when it is not met; needed unless it is only tracked."),
	}}
	measureShape = shape{what: "a measure", single: true, keys: []member{
		may(MeasureVolume, one(&volumeShape), "Leads that come to a stage."),
		may(MeasureConversion, one(&fromToShape), "The share of one stage's leads that come to another."),
		may(MeasureICP, one(&icpShareShape), "The share of a stage's leads that are ideal customers."),
		may(MeasureNetNew, either(one(&netNewShape), nothing), "People who were not known before."),
		may(MeasureRevenue, one(&revenueShape), "The share of closed revenue that marketing brought."),
		may(MeasureCoverage, either(one(&coverageShape), nothing), "The stages and personas that have an asset."),
		may(MeasureAttainment, one(&attainmentShape), "The share of a clock or a record that was kept."),
		may(MeasureFeedback, either(one(&nothingShape), nothing), "The share of handed leads that sales accepted, or gave back with a reason."),
		may(MeasurePersonaData, either(one(&nothingShape), nothing), "Answers on personas that sales wrote down."),
		may(MeasureTime, one(&fromToShape), "The median time from one stage to another."),
	}}
	volumeShape = shape{what: "volume", keys: []member{
		must("stage", aName, ""),
		may("by", wordOf("count", "value"), "Leads alike, or each by what its persona is worth; count unless given."),
		may("per", wordOf("rep", "team", "all"), "all unless given."),
		may("less_rejected", aFlag, "A lead that sales gives back is taken off again, once."),
	}}
	fromToShape = shape{what: "the way between two stages", keys: []member{
		must("from", aName, ""), must("to", aName, ""),
	}}
	icpShareShape = shape{what: "the share of ideal customers", keys: []member{must("stage", aName, "")}}
	netNewShape   = shape{what: "net-new leads", keys: []member{may("per", wordOf("rep", "team", "all"), "all unless given.")}}
	revenueShape  = shape{what: "the share of revenue", keys: []member{
		must("attribution", wordOf("first-touch", "last-touch", "linear"), "Which source brought a deal."),
	}}
	coverageShape = shape{what: "coverage", keys: []member{
		may("stages", listOf(aName), "All before the handoff unless given."), may("personas", listOf(aName), "All unless given."),
	}}
	attainmentShape = shape{what: "attainment", keys: []member{must("of", aName, "A clock or a record.")}}
	nothingShape    = shape{what: "this measure"}
	stepShape       = shape{what: "a remedy", keys: []member{
		may("after", aDuration, "Since the promise was broken; at once unless given."),
		must("do", wordOf(remedies()...), ""),
		may("to", aText, "Whom it reaches, of remind and escalate."),
		may("for", aDuration, "How long, of bench and reduce-weight."),
		may("by", aPercent, "How much, of reduce-weight."),
		may("leads", aCount, "How many, of credit."),
	}}
	assetShape = shape{what: "an asset", keys: []member{
		must("name", aText, ""), must("stages", listOf(aName), "Where it helps."), may("personas", listOf(aName), "Whom it speaks to; all unless given."),
		may("link", anAddress, "Where it lies."),
	}}
	goalShape = shape{what: "a goal", keys: []member{
		must("name", aName, ""),
		must("from", aDate, "The first day."),
		must("to", aDate, "The last day."),
		may("calendar", aName, "Whose days make the pace; every day unless given."),
		must("revenue", anAmount, "What the deals bring together."),
		must("deal", anAmount, "What one brings on average."),
		must("rates", namedBy(aPercent), "By stage: the share of the stage before that comes to it."),
		may("teams", namedBy(aPercent), "The teams' shares; together 100."),
		may("people", wordOf("weights", "equal"), "How a team's share is split among its reps."),
		may("band", aPercent, "How often the forecast's interval should hold the result."),
	}}
	meetingShape = shape{what: "a meeting", keys: []member{
		must("name", aText, ""),
		must("every", wordOf(everies...), ""),
		must("first", aDate, "The first one; the others follow on its day of the week."),
		must("at", aTimeOfDay, ""),
		must("zone", aText, "IANA zone."),
		must("lasts", aDuration, ""),
		may("who", listOf(aText), ""), may("topics", listOf(aText), ""),
		may("kpis", listOf(aName), "The promises whose figures are looked at."),
	}}
	reviewShape = shape{what: "the review", keys: []member{
		must("every", wordOf(everies...), ""),
		must("first", aDate, ""),
		may("triggers", rowsOf(&triggerShape), "What calls for one before."),
	}}
	triggerShape = shape{what: "a trigger", keys: []member{
		must("name", aName, ""), must("from", aName, ""), must("to", aName, ""),
		must("below", aPercent, "The share of leads that come on."), must("over", aDuration, "The time looked at."),
		must("least", aCount, "No alarm over fewer leads."),
	}}
	disputesShape = shape{what: "disputes", keys: []member{
		must("open_within", aDuration, "Since the verdict."), must("calendar", aName, ""),
		must("steps", rowsOf(&disputeShape), "Who looks at it, in order."), must("ruling", aText, "Whose word ends it."),
	}}
	disputeShape      = shape{what: "a step of a dispute", keys: []member{must("by", aText, ""), must("within", aDuration, "")}}
	transparencyShape = shape{what: "transparency", keys: []member{
		may("breaches", wordOf("everyone", "team", "managers"), "Who sees a rep's open breaches; everyone unless given."),
		may("peers", aCount, "Nobody is ranked among fewer; 5 unless given."),
	}}
	acknowledgeShape = shape{what: "the acknowledgement", keys: []member{
		must("share", aPercent, "Of the members."), must("within", aDuration, "Since a version is in force."),
	}}
	baselineShape = shape{what: "the baseline", keys: []member{must("from", aDate, ""), must("to", aDate, "")}}
	proposalShape = shape{what: "a proposal", keys: []member{
		must("clause", aName, "What it is about: a clock, a record, an obligation, a grade, a stage or a term."), must("by", aText, "Who asked for it."), may("says", aText, "Why."),
	}}
)

// The roster.
var (
	rosterShape = shape{what: "a roster", keys: []member{
		may("zone", aText, "IANA zone in which the days of absences begin and end."),
		must("teams", namedBy(either(nothing, one(&teamShape))), "Groups of reps."),
		must("reps", namedBy(one(&repShape)), "Who takes leads."),
		may("calendars", namedBy(one(&calendarShape)), "Hours of people."),
		may("notices", namedBy(one(&noticeShape)), "Where reps are told by signed webhook."),
	}}
	teamShape = shape{what: "a team", keys: []member{may("manager", aText, "")}}
	repShape  = shape{what: "a rep", keys: []member{
		must("team", aName, ""),
		may("weight", aCount, "Share of a pool against the others; 1 unless given."),
		must("capacity", aCount, "Leads that the rep can hold at a time."),
		may("calendar", aName, "The rep's hours; always unless given."),
		may("absences", rowsOf(&absenceShape), "No lead comes then."),
		may("notice", aName, "Where this rep is told."),
		may("skills", listOf(aName), "What pools may ask for: a language, a territory, a product."),
	}}
	absenceShape = shape{what: "an absence", keys: []member{
		must("from", aText, "A date or an instant."), must("to", aText, "A date, which counts, or an instant."), may("why", aText, ""),
	}}
	noticeShape = shape{what: "a notice", keys: []member{must("url", anAddress, ""), must("secret", aSecret, "")}}
)
