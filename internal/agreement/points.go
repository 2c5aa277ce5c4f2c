package agreement

import (
	"math"
	"strconv"
)

// bounded adds to limits between what the points of all rules lie.
func (s *Scoring) bounded(known limits) limits {
	out := limits{}
	for name, l := range known {
		out[name] = l
	}
	var fit, engagement limit
	for _, r := range s.Rules {
		if r.On == nil {
			fit.give(hundredths(r.Points))
			continue
		}
		most := math.Inf(1)
		if r.Cap > 0 {
			most = hundredths(r.Cap)
		}
		engagement.give(math.Copysign(most, r.Points))
	}
	score := limit{least: fit.least + engagement.least, most: fit.most + engagement.most}
	for name, l := range map[string]limit{"fit": fit, "engagement": engagement, "score": score} {
		out[name] = limit{least: l.least / 100, most: l.most / 100}
	}
	return out
}

// give widens what can be had by something that may be had or not.
func (l *limit) give(points float64) {
	l.least += min(0, points)
	l.most += max(0, points)
}

// hundredths is what points count as in sums.
func hundredths(points float64) float64 { return math.Round(points * 100) }

// span says which numbers there are.
func (l *limit) span() string {
	number := func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
	switch {
	case l.least == l.most:
		return "of " + number(l.most)
	case math.IsInf(l.least, -1):
		return "of " + number(l.most) + " at most"
	case math.IsInf(l.most, 1):
		return "of " + number(l.least) + " at least"
	}
	return "between " + number(l.least) + " and " + number(l.most)
}
