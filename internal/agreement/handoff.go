package agreement

import (
	"fmt"
	"slices"
	"time"
)

func (b *builder) readPools(n *node) {
	for _, p := range b.entries(n, "pools") {
		v := b.fields(p.value, &poolShape)
		if v == nil {
			continue
		}
		pool := Pool{Name: p.key.text}
		seen := map[string]place{}
		for _, item := range b.items(b.need(v, "teams")) {
			if team := b.name(item, seen); team != "" {
				pool.Teams = append(pool.Teams, team)
			}
		}
		if rotation := v.get("rotation"); rotation != nil {
			b.pending(rotation, "rotations")
			pool.Rotation = b.oneOf(rotation, "rotation", "weighted", "equal")
		}
		b.pending(v.get("skills"), "skills")
		for _, item := range b.rows(v.get("skills"), "skills") {
			if skill := b.fields(item, &skillShape); skill != nil {
				pool.Skills = append(pool.Skills, Skill{When: b.condition(b.need(skill, "when"), b.language.lead, barredInRoutes), Name: b.name(b.need(skill, "skill"), map[string]place{})})
			}
		}
		b.a.Pools = append(b.a.Pools, pool)
	}
}

func (b *builder) readHandoff(n *node) {
	v := b.fields(n, &handoffShape)
	if v == nil {
		return
	}
	at := b.need(v, "at")
	b.a.Handoff.At = b.ref(at, "stage", b.words.stages)
	for i, s := range b.a.Stages {
		if s.Name == b.a.Handoff.At && s.Name != "" && (i == 0 || s.Final || s.Recycled) {
			b.at(at, "the handoff cannot start at the first, a final or the recycled stage", "name the stage that makes a lead sales' own, as mql")
		}
	}
	rows := b.rows(b.need(v, "routes"), "routes")
	if r := v.get("routes"); r != nil && r.kind == list && len(rows) == 0 {
		b.at(r, "the handoff needs a route", "write - pool: NAME")
	}
	for i, item := range rows {
		row := b.fields(item, &routeShape)
		if row == nil {
			continue
		}
		when, last := row.get("when"), i == len(rows)-1
		switch {
		case last && when != nil:
			b.at(when, "the last route takes every lead that is left, so it has no condition", "remove 'when', or add a route below")
		case !last && when == nil:
			b.at(row, "a route without a condition takes every lead, so that none comes to the routes below", "put it last")
		}
		b.a.Handoff.Routes = append(b.a.Handoff.Routes, Route{
			When: b.condition(when, b.language.lead, barredInRoutes),
			Pool: b.ref(b.need(row, "pool"), "pool", b.pools),
		})
	}
	b.a.Handoff.Unassigned = b.readUnassigned(b.need(v, "unassigned"))
	b.a.Handoff.Needs = b.readNeeds(v.get("needs"))
}

// Unassigned is the name of the clock on a lead that nobody was eligible for.
const Unassigned = "unassigned"

func (b *builder) readUnassigned(n *node) Clock {
	v := b.fields(n, &unassignedShape)
	if v == nil {
		return Clock{}
	}
	c := Clock{
		Name: Unassigned, Count: 1, Breach: Notify,
		Within:   b.duration(b.need(v, "within")),
		Calendar: b.ref(b.need(v, "calendar"), "calendar", b.calendars),
		Warn:     b.warn(v.get("warn")),
	}
	b.checkReach(v, c)
	return c
}

func (b *builder) readClocks(n *node) {
	rows := b.rows(n, "clocks")
	if n != nil && n.kind == list && len(rows) == 0 {
		b.at(n, "an agreement without a clock promises nothing", "write what sales promises, and within what time")
	}
	for _, item := range rows {
		v := b.fields(item, &clockShape)
		if v == nil {
			continue
		}
		c := Clock{
			Name:     b.name(b.need(v, "name"), b.promisedAt),
			Says:     b.prose(v.get("says")),
			Grades:   b.refs(v.get("grades"), "grade", b.words.grades),
			StopsOn:  b.kinds(b.need(v, "stops_on")),
			Count:    b.count(v.get("count"), 1000),
			MetBy:    b.kinds(v.get("met_by")),
			Within:   b.duration(b.need(v, "within")),
			Calendar: b.ref(b.need(v, "calendar"), "calendar", append(slices.Clone(b.calendars), RepHours)),
			Warn:     b.warn(v.get("warn")),
			Breach:   Notify,
			Remedies: b.ladder(v.get("remedies")),
		}
		b.readPersistence(v, &c)
		if on := v.get("on_breach"); on != nil {
			c.Breach = Remedy(b.oneOf(on, "remedy", string(Notify), string(Reassign)))
		}
		if c.Name == Unassigned {
			b.at(v.get("name"), quote(Unassigned)+" is the name of the handoff's own clock", "choose another name")
		}
		if within := v.get("within"); within != nil {
			b.a.places["clocks."+c.Name] = within.place
		}
		b.checkStops(v, c)
		b.checkReach(v, c)
		b.a.Clocks = append(b.a.Clocks, c)
	}
}

// readPersistence reads how attempts are spread.
func (b *builder) readPersistence(v *node, c *Clock) {
	b.pending(v.get("remedies"), "ladders of remedies")
	if channels := v.get("channels"); channels != nil {
		b.pending(channels, "channels of attempts")
		if c.Channels = b.count(channels, 100); c.Channels > c.Count {
			b.at(channels, fmt.Sprintf("%d attempts cannot be made on %d channels", c.Count, c.Channels), "ask for more attempts, or fewer channels")
		}
	}
	spacing := b.fields(v.get("spacing"), &spacingShape)
	if spacing == nil {
		return
	}
	b.pending(v.get("spacing"), "the spacing of attempts")
	c.Least, c.Most = b.duration(spacing.get("least")), b.duration(spacing.get("most"))
	switch {
	case c.Most > 0 && c.Least > c.Most:
		b.at(spacing, "the least time between two attempts is longer than the most", "")
	case c.Least == 0 && c.Most == 0:
		b.at(spacing, "the spacing says nothing", "write spacing: {least: 4h, most: 3d}")
	case c.Calendar == Always && c.Within > 0 && time.Duration(c.Count-1) > c.Within/max(c.Least, 1):
		b.at(spacing, fmt.Sprintf("%d attempts with %s between them do not go into %s", c.Count, spell(c.Least), spell(c.Within)), "ask for fewer, or promise more time")
	}
}

// checkReach refuses a promise that could not be computed, because its calendar opens too little. On the hours of reps it is
// CheckRoster that knows them; a rep without hours is there always.
func (b *builder) checkReach(v *node, c Clock) {
	name := c.Calendar
	if name == RepHours {
		name = Always
	}
	if most, ok := b.reach[name]; ok && c.Within > most {
		b.at(v.get("within"), fmt.Sprintf("the calendar %s opens too little to keep so long a promise", quote(c.Calendar)),
			fmt.Sprintf("promise less, or give the calendar more hours: it must open so long in %d years", reachYears))
	}
}

// checkStops refuses a clock that nobody can keep, and kinds that cannot make a difference.
func (b *builder) checkStops(v *node, c Clock) {
	stops := v.get("stops_on")
	if stops != nil && stops.kind == list && len(stops.items) == 0 {
		b.at(stops, "a clock that stops on nothing can only be broken", "name what keeps the promise, as [accepted, attempt]")
		return
	}
	most := 0
	for _, kind := range c.StopsOn {
		if kind == Attempt || kind == Reached {
			most = c.Count // these can be done again and again; the others happen once in an assignment
			break
		}
		most++
	}
	if len(c.StopsOn) > 0 && most < c.Count {
		b.at(v.get("count"), fmt.Sprintf("the clock waits for %d, and what it stops on can happen %d times at most", c.Count, most),
			"only attempt and reached can happen more than once")
	}
	for _, item := range b.items(v.get("met_by")) {
		if c.Count == 1 && slices.Contains(c.StopsOn, item.text) {
			b.at(item, quote(item.text)+" stops the clock already", "met_by is for what keeps a promise of several at once")
		}
	}
}

func (b *builder) kinds(n *node) []string {
	return b.refs(n, "activity", Kinds())
}

func (b *builder) warn(n *node) []int {
	var out []int
	for _, item := range b.items(n) {
		before := len(b.list)
		p := b.percent(item, 1, 99)
		if len(b.list) > before {
			return nil
		}
		if len(out) > 0 && p <= out[len(out)-1] {
			b.at(item, "warnings come in ascending order", "write them as [50, 80]")
			return nil
		}
		out = append(out, p)
	}
	return out
}

func (b *builder) readRejections(n *node) {
	recycled := slices.ContainsFunc(b.a.Stages, func(s Stage) bool { return s.Recycled })
	for _, p := range b.entries(n, "rejections") {
		then := b.oneOf(p.value, "consequence of a rejection", "recycle", string(Reassign))
		if then == "recycle" && !recycled {
			b.at(p.value, "there is no stage for a lead that goes back", "give one of the stages recycled: true")
		}
		b.a.Rejections = append(b.a.Rejections, Rejection{Reason: p.key.text, Recycle: then == "recycle"})
	}
}
