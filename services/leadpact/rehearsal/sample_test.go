package rehearsal_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
	"github.com/leadpact/leadpact/services/leadpact/rehearsal"
)

// TestSamples: each preset's sample is taken, also by an agreement that lists other accounts than the one it came from.
func TestSamples(t *testing.T) {
	t.Parallel()
	for _, name := range preset.Names() {
		p, err := preset.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, account := range []string{"", "700100200300400500"} {
			if (account == "" && p.Closed) || (account != "" && len(p.Account) == 0) {
				continue
			}
			t.Run(name+account, func(t *testing.T) {
				t.Parallel()
				source := fmt.Sprintf("{preset: %s, secret: env:S", name)
				if account != "" {
					source += fmt.Sprintf(", accounts: [%q]", account)
				}
				text := strings.Replace(string(apptest.Agreement), "sources:\n", "sources:\n  tool: "+source+"}\n", 1)
				a, faults := agreement.Parse("agreement.yaml", []byte(text))
				if len(faults) > 0 {
					t.Fatal(faults)
				}
				s, ok := a.Source("tool")
				if !ok {
					t.Fatal("no source tool")
				}
				body, media, err := rehearsal.Sample(a, s)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := rehearsal.Ask(rehearsal.Question{
					Agreement: a, Source: s, Unsigned: true, At: at,
					Request: &hook.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {media}}, Body: body},
				})
				if err != nil || !answer.Taken() || len(answer.Events) == 0 || len(answer.Bad) > 0 {
					t.Errorf("%+v, %v", answer, err)
				}
			})
		}
	}
}
