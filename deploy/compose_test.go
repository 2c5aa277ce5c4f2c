package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// compose is as much of the format as compose.yaml uses.
type compose struct {
	Name        string             `yaml:"name"`
	XNATS       service            `yaml:"x-nats"`
	XImage      service            `yaml:"x-image"`
	XRole       service            `yaml:"x-role"`
	Environment map[string]string  `yaml:"x-environment"`
	Services    map[string]service `yaml:"services"`
	Networks    map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
	Volumes map[string]struct{} `yaml:"volumes"`
	Secrets map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
}

type service struct {
	Image string `yaml:"image"`
	Build struct {
		Context    string            `yaml:"context"`
		Dockerfile string            `yaml:"dockerfile"`
		Args       map[string]string `yaml:"args"`
	} `yaml:"build"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Networks    []string          `yaml:"networks"`
	Ports       []string          `yaml:"ports"`
	Secrets     []string          `yaml:"secrets"`
	Restart     string            `yaml:"restart"`
	Grace       string            `yaml:"stop_grace_period"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	Security    []string          `yaml:"security_opt"`
	Shm         string            `yaml:"shm_size"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Deploy struct {
		Replicas int `yaml:"replicas"`
	} `yaml:"deploy"`
	Healthcheck struct {
		Test     []string `yaml:"test"`
		Interval string   `yaml:"interval"`
		Timeout  string   `yaml:"timeout"`
		Retries  int      `yaml:"retries"`
	} `yaml:"healthcheck"`
}

func composeOf(t *testing.T) compose {
	t.Helper()
	return read[compose](t, "compose.yaml")
}

func TestComposeHoldsTogether(t *testing.T) {
	t.Parallel()
	c := composeOf(t)
	for name, s := range c.Services {
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: port %s is not on loopback", name, p)
			}
		}
		for _, secret := range s.Secrets {
			if f := c.Secrets[secret].File; !strings.HasPrefix(f, "./secrets/") {
				t.Errorf("%s: secret %s comes from %q", name, secret, f)
			}
		}
		for k, v := range s.Environment {
			if regexp.MustCompile(`(?i)password=|://[^/@]*:[^/@]+@`).MatchString(v) || (strings.Contains(k, "PASSWORD") && !strings.HasSuffix(k, "_FILE")) {
				t.Errorf("%s: %s holds a secret itself", name, k)
			}
		}
		for _, n := range s.Networks {
			if _, ok := c.Networks[n]; !ok {
				t.Errorf("%s: there is no network %s", name, n)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			_, named := c.Volumes[from]
			made := strings.HasPrefix(from, "./secrets/") || strings.HasPrefix(from, "./config/") // README says how
			if _, err := os.Stat(from); err != nil && !named && !made {
				t.Errorf("%s: volume %s comes from nowhere", name, v)
			}
		}
		for d := range s.DependsOn {
			if _, ok := c.Services[d]; !ok {
				t.Errorf("%s waits for %s, which is no service", name, d)
			}
		}
		if strings.HasSuffix(s.Image, ":latest") || !strings.Contains(s.Image, ":") {
			t.Errorf("%s: the image %s is not pinned", name, s.Image)
		}
	}
	for _, role := range []string{"ingest", "scoring", "handoff", "compliance"} {
		s := c.Services[role]
		if s.Deploy.Replicas != 2 || !slices.Contains(s.Command, "--role="+role) || !s.ReadOnly || s.DependsOn["migrate"].Condition != "service_completed_successfully" {
			t.Errorf("%s is not two read-only processes of its role that wait for the migration: %+v", role, s)
		}
	}
	for _, n := range []string{"nats-1", "nats-2", "nats-3"} {
		if c.Services[n].Environment["NATS_NAME"] != n || !slices.Contains(c.Services[n].Volumes, n+":/data") || len(c.Services[n].Ports) > 0 {
			t.Errorf("%s: %+v", n, c.Services[n])
		}
	}
}

// TestCommandsAreUnderstood: compose.yaml and README.md say only what the program understands.
func TestCommandsAreUnderstood(t *testing.T) {
	t.Parallel()
	flags := commandFlags(t)
	c := composeOf(t)
	var environment []string
	for _, f := range flags["serve"] {
		environment = append(environment, "LEADPACT_"+strings.ToUpper(strings.ReplaceAll(f, "-", "_")))
	}
	for name, s := range c.Services {
		if strings.HasPrefix(s.Image, "leadpact:") {
			checkCommand(t, flags, "compose.yaml: "+name, s.Command)
			for k := range s.Environment {
				if !slices.Contains(environment, k) {
					t.Errorf("compose.yaml: %s: the program reads no %s", name, k)
				}
			}
		}
	}
	lines := regexp.MustCompile(`(?m)^(?:LEADPACT_TOKEN=\$\([^)]*\) )?(?:\.\./bin/)?leadpact (.+)$`)
	pages := append(glob(t, "runbooks/*.md"), "README.md")
	seen := map[string]bool{}
	for _, page := range pages {
		for _, m := range lines.FindAllStringSubmatch(textOf(t, page), -1) {
			words := strings.Fields(m[1])
			seen[words[0]] = true
			checkCommand(t, flags, page, words)
		}
	}
	for _, c := range []string{"migrate", "serve", "activate", "token", "verify", "check"} {
		if !seen[c] {
			t.Errorf("README.md does not say how to run leadpact %s", c)
		}
	}
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	text := textOf(t, "Dockerfile")
	stages := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(text, -1)
	if len(stages) != 2 || !strings.HasSuffix(stages[1][1], ":nonroot") || !strings.Contains(text, "\nUSER nonroot") {
		t.Errorf("the image is not built in two stages, the last without root: %v", stages)
	}
	mod := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(textOf(t, "../go.mod"))[1]
	if !strings.HasPrefix(stages[0][1], "golang:"+mod+".") {
		t.Errorf("it is built by %s, go.mod asks for Go %s", stages[0][1], mod)
	}
	ignored := textOf(t, "Dockerfile.dockerignore")
	for _, m := range regexp.MustCompile(`(?m)^COPY ([^-].*) \S+$`).FindAllStringSubmatch(text, -1) {
		for _, from := range strings.Fields(m[1]) {
			if _, err := os.Stat(filepath.Join("..", from)); err != nil {
				t.Errorf("COPY %s: %v", from, err)
			}
			if !strings.Contains(ignored, "\n!"+from+"\n") {
				t.Errorf("COPY %s: the build does not get it, see Dockerfile.dockerignore", from)
			}
		}
	}
}

// TestPrometheusFindsEveryRole: the scrape job has the name that the rules look for.
func TestPrometheusFindsEveryRole(t *testing.T) {
	t.Parallel()
	type config struct {
		Global map[string]string `yaml:"global"`
		Rules  []string          `yaml:"rule_files"`
		Scrape []struct {
			Job string `yaml:"job_name"`
			DNS []struct {
				Names   []string `yaml:"names"`
				Type    string   `yaml:"type"`
				Port    int      `yaml:"port"`
				Refresh string   `yaml:"refresh_interval"`
			} `yaml:"dns_sd_configs"`
			Relabel []struct {
				Sources []string `yaml:"source_labels"`
				Target  string   `yaml:"target_label"`
			} `yaml:"relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	c := read[config](t, "prometheus/prometheus.yaml")
	if len(c.Scrape) != 1 || c.Scrape[0].Job != "leadpact" || len(c.Scrape[0].DNS) != 1 {
		t.Fatalf("scrape jobs %+v", c.Scrape)
	}
	services := composeOf(t).Services
	for _, name := range c.Scrape[0].DNS[0].Names {
		if !slices.Contains(services[name].Command, "--role="+name) {
			t.Errorf("Prometheus looks for %s, which is no role of compose.yaml", name)
		}
	}
	if len(c.Scrape[0].DNS[0].Names) != 4 || c.Scrape[0].DNS[0].Port != 8080 {
		t.Errorf("targets %+v", c.Scrape[0].DNS)
	}
}
