package agreement

import (
	"fmt"
	"slices"
	"strings"
)

// Some of what conditions may name is made from the answers of others; these cannot look at it.
var (
	barredInRules = map[string]string{
		"score":      "a rule cannot look at the score: the score is made of the rules",
		"fit":        "a rule cannot look at the fit: it is made of the rules",
		"engagement": "a rule cannot look at the engagement: it is made of the rules",
		"stage":      "a rule cannot look at the stage: the stage follows from the score",
		"grade":      "a rule cannot look at the grade: the grade follows from the score",
	}
	barredInGrades = map[string]string{
		"grade": "a grade cannot look at the grade: it is being given",
	}
	barredInTraits = barredInTraitsAndICP()
	barredInRoutes = map[string]string{
		hidden("did", ""): "a route cannot look at what was done: it is chosen before sales has the lead" + hintMark +
			"look at the score, the grade, the channel or a field",
		hidden("consent", ""): "where a lead goes does not turn on what it allows" + hintMark +
			"let a stage or a grade ask for it, or name the purpose under consent.needed",
	}
)

// barredInTraitsAndICP leaves what is known of a lead: who it is does not change with what it did, or what was made of it.
func barredInTraitsAndICP() map[string]string {
	out := map[string]string{hidden("did", ""): "what was done", hidden("consent", ""): "what it allows"}
	for _, name := range []string{"score", "fit", "engagement", "stage", "grade", "persona"} {
		out[name] = "the " + name
	}
	for name, what := range out {
		out[name] = "who a lead is follows from what is known of it, not from " + what + hintMark + "look at a field, the channel or the source"
	}
	return out
}

// bars is why a variable may not be looked at. The name of a function without a word bars it with every word.
func bars(barred map[string]string, name string) (why string, ok bool) {
	if why, ok = barred[name]; ok {
		return why, true
	}
	function, _, _ := strings.Cut(name, ".")
	why, ok = barred[function+"."]
	return why, ok
}

func (b *builder) readScoring(n *node) {
	seen := map[string]place{}
	for _, item := range b.rows(n, "scoring") {
		v := b.fields(item, &ruleShape)
		if v == nil {
			continue
		}
		when, on := v.get("when"), v.get("on")
		rule := Rule{
			Name:     b.name(b.need(v, "name"), seen),
			Points:   b.points(b.need(v, "points")),
			When:     b.condition(when, b.language.lead, barredInRules),
			On:       b.condition(on, b.language.touch, nil),
			HalfLife: b.duration(v.get("half_life")),
			Group:    b.ref(v.get("group"), "group", b.groups),
		}
		if rule.Group != "" {
			b.usedGroups[rule.Group] = true
		}
		if (when == nil) == (on == nil) {
			b.at(v, "a scoring rule has either 'when' or 'on'", "'when' looks at what is known of the lead, 'on' at each touch")
		}
		if limit := v.get("cap"); limit != nil {
			if rule.Cap = b.number(limit); rule.Cap <= 0 {
				b.at(limit, "the cap is a number above 0", "")
			}
		}
		if on == nil {
			for _, key := range []string{"half_life", "cap"} {
				if extra := v.get(key); extra != nil && when != nil {
					b.at(extra, key+" goes with 'on' only", "what is known of a lead counts once and does not fade")
				}
			}
		}
		b.a.Scoring.Rules = append(b.a.Scoring.Rules, rule)
	}
	b.a.Scoring.index()
}

// index prepares the questions that Fitting, Engaging and Place answer.
func (s *Scoring) index() {
	s.places = make(map[string]int, len(s.Rules))
	when, on := make([]*Condition, len(s.Rules)), make([]*Condition, len(s.Rules))
	for place, r := range s.Rules {
		s.places[r.Name], when[place], on[place] = place, r.When, r.On
	}
	s.when, s.on = newIndex(when), newIndex(on)
}

// Fitting appends the places in Rules of those with 'when' that could hold of the lead, ascending. It leaves out only what is sure not to
// hold, and costs what it finds: rules that ask for another value than the lead has are not looked at.
func (s *Scoring) Fitting(places []int, l *Lead) []int { return s.when.find(places, view{lead: l}) }

// Engaging appends the places in Rules of those with 'on' that could match the touch. It is to touches what Fitting is to leads.
func (s *Scoring) Engaging(places []int, t *Touch) []int { return s.on.find(places, view{touch: t}) }

// Place is where in Rules the rule of that name stands.
func (s *Scoring) Place(rule string) (int, bool) {
	place, ok := s.places[rule]
	return place, ok
}

func (b *builder) points(n *node) float64 {
	points := b.number(n)
	if n != nil && n.text == "0" {
		b.at(n, "a rule of 0 points changes nothing", "")
	}
	return points
}

func (b *builder) readGrades(n *node) {
	seen := map[string]place{}
	rows := b.rows(n, "grades")
	for i, item := range rows {
		v := b.fields(item, &gradeShape)
		if v == nil {
			continue
		}
		if v.get("when") == nil && i < len(rows)-1 {
			b.at(v, "a grade without a condition holds always, so that no lead comes to the grades below", "put it last")
		}
		b.a.Grades = append(b.a.Grades, Grade{
			Name: b.name(b.need(v, "name"), seen),
			When: b.condition(v.get("when"), b.language.lead, barredInGrades),
		})
	}
}

func (b *builder) readStages(n *node) {
	before := len(b.list)
	seen := map[string]place{}
	rows := b.rows(n, "stages")
	if n != nil && n.kind == list && len(rows) < 2 {
		b.at(n, "a funnel has at least two stages", "")
	}
	recycled := ""
	for i, item := range rows {
		v := b.fields(item, &stageShape)
		if v == nil {
			continue
		}
		s := Stage{
			Name:     b.name(b.need(v, "name"), seen),
			When:     b.condition(v.get("when"), b.language.lead, nil),
			Final:    b.flag(v.get("final")),
			Recycled: b.flag(v.get("recycled")),
			Owner:    b.side(v.get("owner")),
			Next:     b.refs(v.get("next"), "stage", b.words.stages),
		}
		b.pending(v.get("owner"), "owners of stages")
		b.pending(v.get("next"), "ways from stage to stage")
		when := v.get("when")
		switch {
		case i == 0 && (when != nil || s.Final || s.Recycled):
			b.at(v, "the first stage is where every lead begins", "it has a name only")
		case i == 0:
		case s.Recycled && s.Final:
			b.at(v, "a stage is either final or recycled", "")
		case s.Recycled && when != nil:
			b.at(when, "no condition leads to the recycled stage: a rejection does", "remove 'when'")
		case s.Recycled && recycled != "":
			b.at(v, "there is one recycled stage, and it is "+quote(recycled), "")
		case s.Recycled:
			recycled = s.Name
		case when == nil:
			b.at(v, "a stage needs 'when'", `say what leads to it, as when: did("accepted") >= 1`)
		}
		b.a.Stages = append(b.a.Stages, s)
	}
	if n != nil && len(b.list) == before {
		b.checkEnds(n)
		b.checkNext(n)
	}
}

// checkNext refuses a way back, which only a lead that is given back goes, and a stage that no way leads to.
func (b *builder) checkNext(n *node) {
	at := func(name string) int {
		return slices.IndexFunc(b.a.Stages, func(s Stage) bool { return s.Name == name })
	}
	reached := map[int]bool{0: true}
	for i, s := range b.a.Stages {
		if s.Recycled {
			reached[i] = true
		}
		for j := range b.a.Stages {
			if len(s.Next) == 0 && j > i && reached[i] && !s.Final {
				reached[j] = true
			}
		}
		for k, name := range s.Next {
			j := at(name)
			item := b.items(n.items[i].get("next"))[k]
			switch {
			case s.Final:
				b.at(item, fmt.Sprintf("nothing follows the final stage %s", quote(s.Name)), "take it out")
			case j <= i && !b.a.Stages[j].Recycled && !s.Recycled:
				b.at(item, fmt.Sprintf("the stage %s does not come after %s", quote(name), quote(s.Name)), "a funnel goes on; a rejection leads to the recycled stage")
			case reached[i]:
				reached[j] = true
			}
		}
	}
	for i, s := range b.a.Stages {
		if !reached[i] {
			b.at(n.items[i], fmt.Sprintf("no way leads to the stage %s", quote(s.Name)), "name it in the next of a stage before it")
		}
	}
}

// giveOwners names who answers for a lead at every stage, where the text does not: sales from the handoff on, until the lead is given back.
func (b *builder) giveOwners() {
	owner := Marketing
	for i, s := range b.a.Stages {
		if s.Name == b.a.Handoff.At {
			owner = Sales
		}
		switch {
		case s.Owner != "":
		case s.Recycled:
			b.a.Stages[i].Owner = Marketing
		default:
			b.a.Stages[i].Owner = owner
		}
	}
}

// checkEnds refuses a funnel that a deal, won or lost, does not end by itself: sales closes it, and scoring would hold it open
// for ever.
func (b *builder) checkEnds(n *node) {
	for _, deed := range []string{Won, Lost} {
		ends := slices.ContainsFunc(b.a.Stages, func(s Stage) bool {
			if !s.Final {
				return false
			}
			holds, err := s.When.Holds(&Lead{Did: map[string]int64{deed: 1}})
			return holds && err == nil
		})
		if !ends {
			b.at(n, fmt.Sprintf("no final stage ends the way of a lead that is %s", deed),
				fmt.Sprintf(`add - {name: %s, when: did(%q) >= 1, final: true}`, deed, deed))
		}
	}
}
