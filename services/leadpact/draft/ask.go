package draft

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// question is one of the five, in one part or several.
type question struct {
	asks  string
	parts []part
}

// part is one answer.
type part struct {
	flag  string
	asks  string
	usual string // what an empty line means; "" is none
	of    func(*Answers) *string
}

// questions are the five.
func questions(reps *string) []question {
	return []question{
		{"Who are you?", []part{{"company", "Company", "", func(a *Answers) *string { return &a.Company }}}},
		{"Who is it between?", []part{
			{"marketing", "Who answers for marketing", "", func(a *Answers) *string { return &a.Marketing }},
			{"sales", "Who answers for sales", "", func(a *Answers) *string { return &a.Sales }},
			{"reps", "Who takes the leads, by ids (ada, ben)", "", func(*Answers) *string { return reps }},
		}},
		{"When do they work?", []part{
			{"zone", "Time zone (Europe/Berlin)", "", func(a *Answers) *string { return &a.Zone }},
			{"hours", "Working hours", "mon-fri 09:00-17:00", func(a *Answers) *string { return &a.Hours }},
		}},
		{"Within what time of these hours does sales answer a lead?", []part{{"within", "Time (30m, 2h, 1h30m)", "2h", func(a *Answers) *string { return &a.Within }}}},
		{"How do leads come?", []part{{"source", "form (Standard Webhooks), json (your own, signed), crm (bearer token)", "form", func(a *Answers) *string { return &a.Source }}}},
	}
}

// fits draws up the files with one answer and good ones in the place of all others: what the check says then is about that one.
func fits(set func(*Answers), now time.Time) error {
	a := Answers{
		Company: "Company", Marketing: "M", Sales: "S", Reps: []string{"rep"}, Zone: "UTC", Hours: "mon-sun 00:00-24:00", Within: "1s", Source: "form",
	}
	set(&a)
	_, err := a.Draft(now)
	return err
}

// Reps takes ids apart that are written as ada, ben.
func Reps(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == ';' })
}

// Ask returns the answers with those that were missing, asked for as a person at a terminal is asked: again when one does not do. The error
// is that of the terminal, or says that the answers ended.
func (a Answers) Ask(in io.Reader, out io.Writer, now time.Time) (Answers, error) {
	lines := bufio.NewScanner(in)
	reps := strings.Join(a.Reps, ", ")
	for i, q := range questions(&reps) {
		said := false
		for _, p := range q.parts {
			value := p.of(&a)
			if *value != "" {
				continue
			}
			if !said {
				said = true
				fmt.Fprintf(out, "\n%d  %s\n", i+1, q.asks)
			}
			if err := p.ask(lines, out, value, now); err != nil {
				return Answers{}, err
			}
		}
	}
	a.Reps = Reps(reps)
	return a, nil
}

func (p part) ask(lines *bufio.Scanner, out io.Writer, value *string, now time.Time) error {
	usual := ""
	if p.usual != "" {
		usual = " [" + p.usual + "]"
	}
	for {
		fmt.Fprintf(out, "   %s%s: ", p.asks, usual)
		if !lines.Scan() {
			if err := lines.Err(); err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
			return errors.New("the answers ended before the questions: nothing is written")
		}
		answer := strings.TrimSpace(lines.Text())
		if answer == "" {
			answer = p.usual
		}
		err := fits(func(a *Answers) {
			if p.flag == "reps" {
				a.Reps = Reps(answer)
				return
			}
			*p.of(a) = answer
		}, now)
		if err == nil {
			*value = answer
			return nil
		}
		fmt.Fprintf(out, "   That does not do: %s\n", strings.ReplaceAll(err.Error(), "\n", "\n   "))
	}
}

// Missing are the flags of the answers that nobody gave.
func (a Answers) Missing() []string {
	var out []string
	reps := strings.Join(a.Reps, ", ")
	for _, q := range questions(&reps) {
		for _, p := range q.parts {
			if *p.of(&a) == "" {
				out = append(out, "--"+p.flag)
			}
		}
	}
	return out
}
