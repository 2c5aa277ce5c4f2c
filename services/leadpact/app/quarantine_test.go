package app_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/agreement/sealtest"
	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
	"github.com/leadpact/leadpact/services/leadpact/sender"
	"github.com/leadpact/leadpact/services/leadpact/verify"
)

// TestQuarantine: a source's mapping is wrong. Its leads are refused, and kept once each; a version with another mapping is tried on
// them, comes into force, and they are taken in, in order, each once.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	first := sealtest.Keyed(t, apptest.Agreement)
	second := sealtest.Following(t, []byte(strings.NewReplacer("version: test-1", "version: test-2",
		"    channel: organic\n", "    channel: organic\n    map: {email: contact.mail}\n").Replace(string(first))), first)
	cfg := apptest.Config(t, t.TempDir())
	for name, text := range map[string][]byte{cfg.Agreement: first, cfg.Agreement + agreement.SealSuffix: sealtest.Seal(t, first)} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := apptest.Start(t, cfg)
	a, _ := agreement.Parse("agreement.yaml", first)
	website, _ := a.Source("website")
	secret, err := apptest.Secret(website.Verify.Secrets[0])
	if err != nil {
		t.Fatal(err)
	}
	from := sender.New("http://"+s.HTTPAddr()+"/v1/hooks/website", website.Verify.Proof, secret, time.Minute)
	defer from.Close()
	post := func(body string, want int) {
		t.Helper()
		answer, err := from.Post(t.Context(), "", []byte(body))
		if answer.Status != want {
			t.Fatalf("answered %+v, %v; want %d", answer, err, want)
		}
	}
	lead := func(i int) string {
		return fmt.Sprintf(`{"type":"form_submitted","hand_raiser":true,"contact":{"mail":"lead%d@example.com"}}`, i)
	}
	for range 3 {
		for i := range 3 {
			post(lead(i), http.StatusUnprocessableEntity)
		}
		post(lead(3)+",", http.StatusBadRequest)
	}
	text, err := os.ReadFile(s.AdminToken())
	if err != nil {
		t.Fatal(err)
	}
	admin := s.Dial(t, strings.TrimSpace(string(text)))
	door := leadpactv1.NewQuarantineServiceClient(admin)
	list := func() []*leadpactv1.Quarantined {
		t.Helper()
		resp, err := door.ListQuarantined(t.Context(), &leadpactv1.ListQuarantinedRequest{Source: "website"})
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetRows()
	}
	apptest.Until(t, "what was refused waits", func() error {
		sent := int64(0)
		for _, row := range list() {
			sent += row.GetAttempts()
		}
		if sent != 12 {
			return fmt.Errorf("%d of 12 have come", sent)
		}
		return nil
	})
	rows := list()
	if len(rows) != 4 || rows[0].GetAttempts() != 3 || rows[0].GetKind() != "hook" || rows[0].GetService() != "scoring" || rows[0].GetAgreement() != a.Hash {
		t.Fatalf("there wait %v", rows)
	}
	_, err = leadpactv1.NewQuarantineServiceClient(s.Dial(t, s.Token("mia"))).ListQuarantined(t.Context(), &leadpactv1.ListQuarantinedRequest{})
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("a manager is told %v", err)
	}
	one, err := door.GetQuarantined(t.Context(), &leadpactv1.GetQuarantinedRequest{Key: rows[0].GetKey()})
	if err != nil || string(one.GetRow().GetRaw()) != lead(0) {
		t.Fatalf("the first is %v, %v", one, err)
	}
	retry := func(r *leadpactv1.RetryQuarantinedRequest) string {
		t.Helper()
		r.Source = "website"
		resp, err := door.RetryQuarantined(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for i, row := range resp.GetRows() {
			if i < len(rows) && row.GetKey() != rows[i].GetKey() && len(resp.GetRows()) == len(rows) {
				t.Errorf("%s is tried in place %d", row.GetKey(), i)
			}
			word := row.GetOutcome()
			for _, e := range row.GetEvents() {
				word += " " + e.GetResult() + ">" + strings.Join(e.GetStages(), ">")
			}
			out = append(out, word)
		}
		return strings.Join(out, ", ")
	}
	const good = "applied applied>lead>mql, applied applied>lead>mql, applied applied>lead>mql, kept"
	if got := retry(&leadpactv1.RetryQuarantinedRequest{DryRun: true, Agreement: second}); got != good {
		t.Errorf("a dry run under the second version: %s", got)
	}
	if got := retry(&leadpactv1.RetryQuarantinedRequest{}); got != "kept refused>, kept refused>, kept refused>, kept" {
		t.Errorf("a retry under the first version: %s", got)
	}
	answer, err := leadpactv1.NewAgreementServiceClient(admin).Activate(t.Context(), &leadpactv1.ActivateRequest{Text: second, Signatures: sealtest.Seal(t, second)})
	if err != nil {
		t.Fatal(err)
	}
	apptest.Until(t, "the second version is in force", func() error {
		if got := retry(&leadpactv1.RetryQuarantinedRequest{DryRun: true}); got != good {
			return errors.New(got)
		}
		return nil
	})
	if got := retry(&leadpactv1.RetryQuarantinedRequest{}); got != good {
		t.Errorf("a retry under the second version: %s", got)
	}
	for i := range 3 {
		held := s.Assigned(t, fmt.Sprintf("lead%d@example.com", i))
		if held.GetLead() == "" {
			t.Errorf("lead %d is held as %v", i, held)
		}
		post(lead(i), http.StatusAccepted) // the sender comes once more, and is understood
	}
	left := list()
	if len(left) != 1 || left[0].GetKey() != rows[3].GetKey() || left[0].GetAttempts() != 5 {
		t.Errorf("there wait %v", left)
	}
	dropped, err := door.DropQuarantined(t.Context(), &leadpactv1.DropQuarantinedRequest{Keys: []string{rows[3].GetKey()}})
	if err != nil || dropped.GetDropped() != 1 || len(list()) != 0 {
		t.Errorf("dropped %v, %v", dropped, err)
	}
	post(lead(3)+",", http.StatusBadRequest) // what was given up does not come back

	var out strings.Builder
	var accepted strings.Builder
	for _, row := range rows[:3] {
		accepted.WriteString("website\t" + row.GetKey() + "\n") // a body without an id has its digest
	}
	stores := apptest.Stores(t, s.Data)
	if err := verify.Run(t.Context(), verify.Options{
		Stores: stores, Accepted: strings.NewReader(accepted.String()), Doors: []string{s.HTTPAddr()}, Patience: 30 * time.Second, Out: &out,
	}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	facts := 0
	if err := stores.Scoring.EachLead(t.Context(), func(_ store.Lead, _ []string, rows []store.FactRow) error {
		facts += len(rows)
		return nil
	}); err != nil || facts != 3 {
		t.Errorf("%d facts, %v", facts, err)
	}
	for typ, want := range map[string]int{"lead.received": 3, "hook.refused": 4, "handoff.started": 3} {
		n := 0
		for shard := range ledger.Shards {
			entries, err := stores.Compliance.Entries(t.Context(), shard, 0, typ, 100)
			if err != nil {
				t.Fatal(err)
			}
			n += len(entries)
		}
		if n != want {
			t.Errorf("the ledger has %d lines of %s, want %d", n, typ, want)
		}
	}
	if len(list()) != 0 || answer.GetVersion().GetHash() == a.Hash {
		t.Error("what was given up came back")
	}
}
