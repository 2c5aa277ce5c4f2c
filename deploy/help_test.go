// Package deploy_test holds the files of this folder to what the program and they themselves say of each other.
package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"go.uber.org/goleak"

	"github.com/leadpact/leadpact/internal/bus/bustest"
)

func TestMain(m *testing.M) {
	bustest.ServeIfAsked()
	goleak.VerifyTestMain(m)
}

// read decodes a YAML file; keys that the type does not have and keys that stand twice are faults.
func read[T any](t *testing.T, path string) T {
	t.Helper()
	var out T
	text := textOf(t, path)
	if err := yaml.UnmarshalWithOptions([]byte(text), &out, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

func textOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// glob are the files of a pattern; none is a fault.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no %s: %v", pattern, err)
	}
	return files
}

// flagsOf are the flags of a command, as the program itself tells them.
func flagsOf(t *testing.T, binary, command string) []string {
	t.Helper()
	help, err := exec.CommandContext(t.Context(), binary, append(strings.Fields(command), "--help")...).Output()
	if err != nil {
		t.Fatalf("leadpact %s --help: %v", command, err)
	}
	var out []string
	for _, m := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(string(help), -1) {
		out = append(out, m[1])
	}
	return out
}

// program builds the binary.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "leadpact")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../services/leadpact").CombinedOutput()
	if err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return path
}

// checkCommand holds the words of a leadpact command line to the flags that the command has.
func checkCommand(t *testing.T, flags map[string][]string, where string, words []string) {
	t.Helper()
	known, ok := flags[words[0]]
	if !ok && len(words) > 1 { // a command of a command
		known, ok = flags[words[0]+" "+words[1]]
	}
	if !ok {
		t.Errorf("%s: leadpact has no command %q", where, words[0])
		return
	}
	for _, w := range words[1:] {
		name, isFlag := strings.CutPrefix(w, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && !slices.Contains(known, name) {
			t.Errorf("%s: leadpact %s has no flag --%s", where, words[0], name)
		}
	}
}

func commandFlags(t *testing.T) map[string][]string {
	t.Helper()
	binary := program(t)
	out := map[string][]string{}
	for _, c := range []string{"serve", "migrate", "keygen", "sign", "activate", "versions", "roster", "token", "check", "verify", "quarantine list"} {
		out[c] = flagsOf(t, binary, c)
	}
	return out
}
