package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

type adoptCommand struct {
	caller
	Leads  []string `arg:"" optional:"" name:"lead" help:"Leads: id, e-mail address, or SOURCE:ID with the id that the source has for the person. With none the flags find them."`
	Stage  string   `help:"Only leads at this stage."`
	Grade  string   `help:"Only leads of this grade, as of now."`
	Since  string   `help:"Only leads whose last touch was then or later: 2026-01-31, or 2026-01-31T09:00:00+01:00." placeholder:"DATE"`
	Limit  int      `help:"How many leads the flags hand off at most." default:"100"`
	DryRun bool     `help:"Say what would be handed off, and change nothing."`
	JSON   bool     `name:"json" help:"Print the answer as JSON."`
}

// adoptPage is how many leads one call hands off at most.
const adoptPage = 500

// Run hands off and tells. It fails when a lead that was named is not known.
func (c *adoptCommand) Run(ctx context.Context) error {
	names, err := c.names()
	if err != nil {
		return err
	}
	filter, err := c.filter()
	if err != nil {
		return err
	}
	out := adopted{Leads: []adoptedLead{}, DryRun: c.DryRun}
	if len(names) > 0 {
		err = c.adopt(ctx, &leadpactv1.AdoptRequest{Leads: names, DryRun: c.DryRun}, &out)
	} else {
		req := &leadpactv1.AdoptRequest{Filter: filter, DryRun: c.DryRun}
		for more := true; more && err == nil && out.HandedOff < c.Limit; more = req.GetPageToken() != "" {
			req.Limit = int32(min(adoptPage, c.Limit-out.HandedOff))
			err = c.adopt(ctx, req, &out)
		}
	}
	if err != nil && len(out.Leads) == 0 {
		return err
	}
	// What was handed off is told also when a later page failed.
	if printErr := out.print(os.Stdout, c.JSON); printErr != nil {
		return printErr
	}
	if err == nil && out.Unknown > 0 {
		return failed{1}
	}
	return err
}

// adopt asks once, and turns the request to the page after it.
func (c *adoptCommand) adopt(ctx context.Context, req *leadpactv1.AdoptRequest, out *adopted) error {
	return c.call(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := leadpactv1.NewLeadServiceClient(conn).Adopt(ctx, req)
		if err != nil {
			return err
		}
		for i, a := range resp.GetLeads() {
			out.add(a)
			if len(c.Leads) > 0 {
				out.Leads[len(out.Leads)-1].Asked = c.Leads[i]
			}
		}
		p := resp.GetPassedOver()
		out.HandedOffBefore += int(p.GetHandedOffBefore())
		out.Over += int(p.GetOver())
		out.TooEarly += int(p.GetTooEarly())
		out.OtherGrade += int(p.GetOtherGrade())
		out.Withheld += int(p.GetWithheld())
		req.PageToken = resp.GetNextPageToken()
		return nil
	})
}

func (c *adoptCommand) names() ([]*leadpactv1.LeadName, error) {
	if len(c.Leads) > 0 && (c.Stage != "" || c.Grade != "" || c.Since != "") {
		return nil, errors.New("name leads, or give --stage, --grade and --since, not both")
	}
	var out []*leadpactv1.LeadName
	for _, text := range c.Leads {
		name := &leadpactv1.LeadName{Name: &leadpactv1.LeadName_Id{Id: text}}
		if source, id, found := strings.Cut(text, ":"); found {
			name.Name = &leadpactv1.LeadName_External{External: &leadpactv1.ExternalID{Source: source, Id: id}}
		} else if strings.Contains(text, "@") {
			name.Name = &leadpactv1.LeadName_Email{Email: text}
		}
		out = append(out, name)
	}
	return out, nil
}

func (c *adoptCommand) filter() (*leadpactv1.AdoptFilter, error) {
	if c.Limit < 1 {
		return nil, fmt.Errorf("--limit %d: hand off at least one", c.Limit)
	}
	f := &leadpactv1.AdoptFilter{Stage: c.Stage, Grade: c.Grade}
	if c.Since == "" {
		return f, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, c.Since); err == nil {
			f.Since = timestamppb.New(t)
			return f, nil
		}
	}
	return nil, fmt.Errorf("--since %s: write a date, as 2026-01-31 (UTC), or a time with its zone, as 2026-01-31T09:00:00+01:00", c.Since)
}

// adopted is the answer, as --json prints it.
type adopted struct {
	DryRun          bool          `json:"dry_run"`
	Leads           []adoptedLead `json:"leads"`
	HandedOff       int           `json:"handed_off"`
	HandedOffBefore int           `json:"handed_off_before"`
	Over            int           `json:"over"`
	TooEarly        int           `json:"too_early"`
	OtherGrade      int           `json:"other_grade"`
	Withheld        int           `json:"withheld"`
	Unknown         int           `json:"unknown"`
}

type adoptedLead struct {
	// Asked is the name that was given, if one was.
	Asked    string  `json:"asked,omitempty"`
	Lead     string  `json:"lead"`
	Stage    string  `json:"stage"`
	Grade    string  `json:"grade"`
	Score    float64 `json:"score"`
	Decision string  `json:"decision"`
}

func (o *adopted) add(a *leadpactv1.Adoption) {
	var decision string
	switch a.GetDecision() {
	case leadpactv1.Adoption_DECISION_HANDED_OFF:
		decision = "handed off"
		o.HandedOff++
	case leadpactv1.Adoption_DECISION_HANDED_OFF_BEFORE:
		decision = "handed off before"
		o.HandedOffBefore++
	case leadpactv1.Adoption_DECISION_OVER:
		decision = "over"
		o.Over++
	case leadpactv1.Adoption_DECISION_TOO_EARLY:
		decision = "not at the handoff point"
		o.TooEarly++
	case leadpactv1.Adoption_DECISION_WITHHELD:
		decision = "withheld"
		o.Withheld++
	case leadpactv1.Adoption_DECISION_UNKNOWN:
		decision = "unknown"
		o.Unknown++
	default:
		decision = "unclear: this program is older than the one that answers"
	}
	o.Leads = append(o.Leads, adoptedLead{Lead: a.GetLead(), Stage: a.GetStage(), Grade: a.GetGrade(), Score: a.GetScore(), Decision: decision})
}

func (o *adopted) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, o)
	}
	var b strings.Builder
	if len(o.Leads) > 0 {
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, "lead\tstage\tgrade\tscore\tdecision")
		for _, l := range o.Leads {
			name := l.Lead
			if name == "" {
				name = l.Asked
			}
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%g\t%s\n", name, l.Stage, l.Grade, l.Score, l.Decision)
		}
		_ = t.Flush() // a string takes everything
		_ = b.WriteByte('\n')
	}
	handed := "handed off"
	if o.DryRun {
		handed = "would be handed off"
	}
	_, _ = fmt.Fprintf(&b, "%d %s", o.HandedOff, handed)
	for _, p := range []struct {
		n    int
		what string
	}{
		{o.HandedOffBefore, "handed off before"}, {o.Over, "over"}, {o.TooEarly, "not at the handoff point"}, {o.OtherGrade, "of another grade"},
		{o.Withheld, "withheld"}, {o.Unknown, "unknown"},
	} {
		if p.n > 0 {
			_, _ = fmt.Fprintf(&b, ", %d %s", p.n, p.what)
		}
	}
	_ = b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}
