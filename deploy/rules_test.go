package deploy_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/leadpact/leadpact/internal/bus/bustest"
	"github.com/leadpact/leadpact/services/leadpact/app"
)

// rule is one alert or one recorded series.
type rule struct {
	Alert       string            `yaml:"alert"`
	Record      string            `yaml:"record"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

type ruleFile struct {
	Groups []struct {
		Name     string `yaml:"name"`
		Interval string `yaml:"interval"`
		Rules    []rule `yaml:"rules"`
	} `yaml:"groups"`
}

func rulesOf(t *testing.T, path string) []rule {
	t.Helper()
	var out []rule
	for _, g := range read[ruleFile](t, path).Groups {
		out = append(out, g.Rules...)
	}
	return out
}

type testFile struct {
	RuleFiles []string `yaml:"rule_files"`
	Interval  string   `yaml:"evaluation_interval"`
	Tests     []struct {
		Name     string `yaml:"name"`
		Interval string `yaml:"interval"`
		Input    []struct {
			Series string `yaml:"series"`
			Values string `yaml:"values"`
		} `yaml:"input_series"`
		Alerts []struct {
			Name string `yaml:"alertname"`
			At   string `yaml:"eval_time"`
			Want []struct {
				Labels      map[string]string `yaml:"exp_labels"`
				Annotations map[string]string `yaml:"exp_annotations"`
			} `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
		Exprs []struct {
			Expr string `yaml:"expr"`
			At   string `yaml:"eval_time"`
			Want []struct {
				Labels string  `yaml:"labels"`
				Value  float64 `yaml:"value"`
			} `yaml:"exp_samples"`
		} `yaml:"promql_expr_test"`
	} `yaml:"tests"`
}

// silent are alerts that never are: there is no state in which they may not fire.
var silent = map[string]bool{"LeadpactWatchdog": true}

// TestEveryAlertHasItsTestAndItsPage: one test file for each rule file, one runbook for each alert, and nothing left over.
func TestEveryAlertHasItsTestAndItsPage(t *testing.T) {
	t.Parallel()
	var alerts []string
	for _, path := range glob(t, "prometheus/rules/*.yaml") {
		test := read[testFile](t, filepath.Join("prometheus/tests", filepath.Base(path)))
		if want := []string{"../rules/" + filepath.Base(path)}; !slices.Equal(test.RuleFiles, want) {
			t.Errorf("the test of %s loads %v", path, test.RuleFiles)
		}
		fires, quiet := map[string]bool{}, map[string]bool{}
		for _, c := range test.Tests {
			for _, a := range c.Alerts {
				fires[a.Name] = fires[a.Name] || len(a.Want) > 0
				quiet[a.Name] = quiet[a.Name] || len(a.Want) == 0
			}
		}
		for _, r := range rulesOf(t, path) {
			if r.Alert == "" {
				continue
			}
			alerts = append(alerts, r.Alert)
			checkAlert(t, r)
			if !fires[r.Alert] {
				t.Errorf("%s: no test shows that it fires", r.Alert)
			}
			if !quiet[r.Alert] && !silent[r.Alert] {
				t.Errorf("%s: no test shows that it is silent when it should be", r.Alert)
			}
			delete(fires, r.Alert)
		}
		for name := range fires {
			t.Errorf("%s is tested and no alert of %s", name, path)
		}
	}
	slices.Sort(alerts)
	if unique := slices.Compact(slices.Clone(alerts)); len(unique) != len(alerts) {
		t.Errorf("an alert stands twice: %v", alerts)
	}
	var pages []string
	for _, path := range glob(t, "runbooks/*.md") {
		pages = append(pages, strings.TrimSuffix(filepath.Base(path), ".md"))
		checkPage(t, path)
	}
	if !slices.Equal(alerts, pages) {
		t.Errorf("alerts and runbooks differ:\nalerts   %v\nrunbooks %v", alerts, pages)
	}
	if rules, tests := len(glob(t, "prometheus/rules/*.yaml")), len(glob(t, "prometheus/tests/*.yaml")); rules != tests {
		t.Errorf("%d rule files and %d test files", rules, tests)
	}
}

func checkAlert(t *testing.T, r rule) {
	t.Helper()
	if !regexp.MustCompile(`^Leadpact[A-Za-z]+$`).MatchString(r.Alert) {
		t.Errorf("%s: an alert's name begins with Leadpact", r.Alert)
	}
	if s := r.Labels["severity"]; s != "critical" && s != "warning" && s != "info" {
		t.Errorf("%s: severity %q", r.Alert, s)
	}
	for _, l := range []string{"team", "service"} {
		if r.Labels[l] == "" {
			t.Errorf("%s: label %s is missing", r.Alert, l)
		}
	}
	if s := r.Annotations["summary"]; s == "" || strings.Contains(s, "{{") {
		t.Errorf("%s: the summary %q is a sentence without values", r.Alert, s)
	}
	if r.Annotations["description"] == "" {
		t.Errorf("%s: the description is missing", r.Alert)
	}
	if want := "/deploy/runbooks/" + r.Alert + ".md"; !strings.HasSuffix(r.Annotations["runbook_url"], want) {
		t.Errorf("%s: runbook_url %q, want …%s", r.Alert, r.Annotations["runbook_url"], want)
	}
}

func checkPage(t *testing.T, path string) {
	t.Helper()
	text := textOf(t, path)
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^(#+ .+)$`).FindAllStringSubmatch(text, -1) {
		got = append(got, m[1])
	}
	want := []string{"# " + strings.TrimSuffix(filepath.Base(path), ".md"), "## Meaning", "## Impact", "## Diagnosis", "## Mitigation", "## Verification"}
	if !slices.Equal(got, want) {
		t.Errorf("%s has the parts %q, want %q", path, got, want)
	}
	for i, part := range strings.Split(text, "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		if strings.TrimSpace(body) == "" {
			t.Errorf("%s: part %d, %s, is empty", path, i+1, title)
		}
		if title == "Diagnosis" && !strings.Contains(body, "```sh\n") && !strings.Contains(body, "As in ") {
			t.Errorf("%s: the diagnosis names no command", path)
		}
	}
	for _, m := range regexp.MustCompile(`\bLeadpact[A-Z][A-Za-z]+`).FindAllString(text, -1) {
		if _, err := os.Stat(filepath.Join("runbooks", m+".md")); err != nil {
			t.Errorf("%s sends the reader to %s, which is no alert", path, m)
		}
	}
}

// TestRulesNameWhatTheProgramExports starts the program and scrapes it: every metric and every label that rules, tests and
// runbooks rely on is there.
func TestRulesNameWhatTheProgramExports(t *testing.T) {
	addr := start(t)
	post(t, addr)
	named := namedMetrics(t)
	var exported map[string]*dto.MetricFamily
	bustest.Eventually(t, "/metrics shows every metric that a rule names", func() error {
		exported = scrape(t, addr)
		var missing []string
		for _, name := range slices.Sorted(maps.Keys(named)) {
			if familyOf(exported, name) == nil {
				missing = append(missing, fmt.Sprintf("%s (%s)", name, named[name]))
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("the program does not export %s", strings.Join(missing, ", "))
		}
		return nil
	})
	for _, path := range glob(t, "prometheus/tests/*.yaml") {
		for _, c := range read[testFile](t, path).Tests {
			for _, in := range c.Input {
				checkSeries(t, exported, path, in.Series)
			}
		}
	}
}

// thinSource is beside the example's one source: nobody has the token that it is to be asked with, so nobody is asked.
const thinSource = "sources:\n  portal: {preset: hubspot-app, verify: {bearer: env:WEBSITE_TOKEN}, fetch: {token: env:TOKEN_THAT_NOBODY_HAS}}\n"

// start runs the embedded program on the smallest example, with a thin source, and returns the address of its HTTP door.
func start(t *testing.T) string {
	t.Helper()
	t.Setenv("WEBSITE_TOKEN", websiteToken)
	agreement := filepath.Join(t.TempDir(), "agreement.yaml")
	text := strings.Replace(textOf(t, "../docs/examples/minimal/agreement.yaml"), "sources:\n", thinSource, 1)
	if err := os.WriteFile(agreement, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), app.Config{
		Data: t.TempDir(), HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0",
		Agreement: agreement, Roster: "../docs/examples/minimal/roster.yaml",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the program ended with: %v", err)
		}
	})
	return a.HTTPAddr()
}

// post sends one lead, and one thinly, as soon as the agreement is in force and the door is ready: the counters have series from then on.
func post(t *testing.T, addr string) {
	t.Helper()
	postTo(t, addr, "website", `{"id": "1", "kind": "page_viewed", "email": "ada@example.com"}`)
	postTo(t, addr, "portal", `[{"eventId": 1, "subscriptionId": 9, "occurredAt": 1767225600000, "subscriptionType": "contact.creation", "objectId": 501}]`)
}

func postTo(t *testing.T, addr, source, body string) {
	t.Helper()
	bustest.Eventually(t, "the door takes a lead", func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/v1/hooks/"+source, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+websiteToken)
		res, err := client().Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusAccepted {
			text, _ := io.ReadAll(res.Body)
			return fmt.Errorf("answered %s: %s", res.Status, text)
		}
		return nil
	})
}

const websiteToken = "the token of the example's one source"

// client keeps no connection, so that none outlives its test.
func client() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
}

func scrape(t *testing.T, addr string) map[string]*dto.MetricFamily {
	t.Helper()
	res, err := client().Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// familyOf finds the family of a series' name: a histogram's series have three endings.
func familyOf(families map[string]*dto.MetricFamily, name string) *dto.MetricFamily {
	if f := families[name]; f != nil {
		return f
	}
	for _, end := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, end); ok {
			if f := families[base]; f != nil && f.GetType() == dto.MetricType_HISTOGRAM {
				return f
			}
		}
	}
	return nil
}

var metricName = regexp.MustCompile(`\bleadpact_[a-z0-9_]+|\b[a-z_]+:leadpact_[a-z0-9_]+:[a-z0-9_]+|\bleadpact:[a-z0-9_]+:[a-z0-9_]+`)

// notMetrics are other words of ours that look like one: the schemas of the database.
func notMetrics(name string) bool {
	for _, schema := range []string{"leadpact_scoring", "leadpact_handoff", "leadpact_compliance"} {
		if name == schema {
			return true
		}
	}
	return false
}

// namedMetrics are the metrics that rules and runbooks name, with where. What a rule records is looked up among the rules.
func namedMetrics(t *testing.T) map[string]string {
	t.Helper()
	recorded, out := map[string]bool{}, map[string]string{}
	type use struct{ where, text string }
	var uses []use
	for _, path := range glob(t, "prometheus/rules/*.yaml") {
		for _, r := range rulesOf(t, path) {
			if r.Record != "" {
				recorded[r.Record] = true
			}
			uses = append(uses, use{"rule " + r.Alert + r.Record, r.Expr})
		}
	}
	for _, path := range glob(t, "runbooks/*.md") {
		uses = append(uses, use{path, textOf(t, path)})
	}
	for _, u := range uses {
		for _, name := range metricName.FindAllString(u.text, -1) {
			switch {
			case strings.Contains(name, ":"):
				if !recorded[name] {
					t.Errorf("%s names %s, which no rule records", u.where, name)
				}
			case !notMetrics(name):
				out[name] = u.where
			}
		}
	}
	if len(out) < 15 {
		t.Fatalf("the rules name %d metrics: something is not found any more", len(out))
	}
	return out
}

// checkSeries holds the input of a rule test to what the program exports: invented labels would prove nothing.
func checkSeries(t *testing.T, exported map[string]*dto.MetricFamily, path, series string) {
	t.Helper()
	name, rest, _ := strings.Cut(series, "{")
	if name == "up" {
		return
	}
	family := familyOf(exported, name)
	if family == nil {
		t.Errorf("%s: the program does not export %s", path, name)
		return
	}
	labels := map[string]bool{"job": true, "instance": true, "role": true, "pod": true}
	if family.GetType() == dto.MetricType_HISTOGRAM {
		labels["le"] = true
	}
	for _, m := range family.GetMetric() {
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = true
		}
	}
	for _, m := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(rest, -1) {
		if !labels[m[1]] {
			t.Errorf("%s: %s has no label %s", path, name, m[1])
		}
	}
}
