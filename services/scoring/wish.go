package scoring

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/scoring/score"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

// wish is what one call asks to have handed off.
type wish struct {
	actor     string
	dry       bool
	now       time.Time
	agreement *agreement.Agreement
	filter    *leadpactv1.AdoptFilter
	// left is how many may be handed off still, adopted how many were.
	left, adopted int
}

// Refusals beside those of stage.
const (
	// gone: there is no such lead.
	gone stage.Refusal = "gone"
	// unmeant: the filter is not about it.
	unmeant stage.Refusal = "unmeant"
	// otherGrade: it would be handed off, but the filter asks for another grade.
	otherGrade stage.Refusal = "grade"
)

// verdict is what became of one lead.
type verdict struct {
	lead, stage string
	card        score.Card
	refusal     stage.Refusal
}

// id names the request, as the cause of what it led to.
func (w *wish) id() string {
	return event.DerivedID("lead.adopt", w.actor, strconv.FormatInt(event.Micros(w.now), 10))
}

// possible says what of the filter no lead can ever match.
func (w *wish) possible() error {
	var stages, grades []string
	for _, one := range w.agreement.Stages {
		stages = append(stages, one.Name)
	}
	for _, one := range w.agreement.Grades {
		grades = append(grades, one.Name)
	}
	f := w.filter
	switch {
	case f.GetStage() != "" && !slices.Contains(stages, f.GetStage()):
		return status.Errorf(codes.InvalidArgument, "the agreement in force has no stage %q; it has %s", f.GetStage(), strings.Join(stages, ", "))
	case f.GetGrade() != "" && !slices.Contains(grades, f.GetGrade()):
		return status.Errorf(codes.InvalidArgument, "the agreement in force has no grade %q; it has %s", f.GetGrade(), strings.Join(grades, ", "))
	case f.GetSince() != nil && !f.GetSince().IsValid():
		return status.Error(codes.InvalidArgument, "since is no instant")
	}
	return nil
}

// glance decides on a row that is not locked, as far as one can: most leads of a long history need no lock to be passed over. An
// empty refusal says that it is to be locked and looked at again.
func (w *wish) glance(row store.Lead) (stage.Refusal, error) {
	state, knowledge, readable, err := remember(row)
	if err != nil {
		return "", err
	}
	if !readable || row.Agreement != w.agreement.Hash { // its facts must be folded again
		return "", nil
	}
	_, refusal := w.decide(&known{row: row, state: state, knowledge: knowledge})
	return refusal, nil
}

// decide is what becomes of a lead; the refusal is empty when it is handed off.
func (w *wish) decide(k *known) (stage.Adoption, stage.Refusal) {
	f := w.filter
	switch {
	case k.row.Version == 0:
		return stage.Adoption{}, gone
	case f.GetStage() != "" && k.state.Stage != f.GetStage(), f.GetSince() != nil && k.knowledge.Last.At.Before(f.GetSince().AsTime()):
		return stage.Adoption{}, unmeant
	}
	a := stage.Adopt(w.agreement, k.state, k.knowledge, w.now)
	if a.Refusal == "" && f.GetGrade() != "" && a.Card.Lead.Grade != f.GetGrade() {
		return a, otherGrade
	}
	return a, a.Refusal
}

// adoption is the verdict as it is answered.
func (v verdict) adoption() *leadpactv1.Adoption {
	if v.refusal == gone {
		return &leadpactv1.Adoption{Decision: leadpactv1.Adoption_DECISION_UNKNOWN}
	}
	decision := map[stage.Refusal]leadpactv1.Adoption_Decision{
		"":           leadpactv1.Adoption_DECISION_HANDED_OFF,
		stage.Before: leadpactv1.Adoption_DECISION_HANDED_OFF_BEFORE,
		stage.Over:   leadpactv1.Adoption_DECISION_OVER,
		stage.Early:  leadpactv1.Adoption_DECISION_TOO_EARLY,

		stage.DoNotContact: leadpactv1.Adoption_DECISION_WITHHELD,
		stage.NoConsent:    leadpactv1.Adoption_DECISION_WITHHELD,
	}[v.refusal]
	return &leadpactv1.Adoption{Lead: v.lead, Stage: v.stage, Grade: v.card.Lead.Grade, Score: v.card.Lead.Score, Decision: decision}
}

// pass counts a lead that was passed over.
func pass(p *leadpactv1.PassedOver, why stage.Refusal) {
	switch why {
	case stage.Before:
		p.HandedOffBefore++
	case stage.Over:
		p.Over++
	case stage.Early:
		p.TooEarly++
	case otherGrade:
		p.OtherGrade++
	case stage.DoNotContact, stage.NoConsent:
		p.Withheld++
	}
}
