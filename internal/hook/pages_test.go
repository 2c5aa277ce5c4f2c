package hook

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	block   = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	mapping = regexp.MustCompile("(?s)`(map: \\{.*?\\})`")
	named   = regexp.MustCompile(`(?m)^    preset: ([a-z0-9-]+)`)
)

// What the pages of the sources tell people to write into an agreement, an agreement takes.
func TestPagesAgreements(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/sources/*.md")
	if err != nil || len(pages) < 20 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	before, rest, _ := strings.Cut(presetsText(t), "sources:\n")
	_, after, _ := strings.Cut(rest, "calendars:\n")
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			text := string(raw)
			tool := named.FindStringSubmatch(text)
			if tool == nil {
				if filepath.Base(page) != "README.md" {
					t.Fatal("the page names no preset")
				}
				return
			}
			source := "  tool:\n    preset: " + tool[1] + "\n    secret: env:S\n    accounts: [\"1\"]\n"
			if len(presetOf(t, tool[1]).Account) == 0 {
				source = strings.Replace(source, "    accounts: [\"1\"]\n", "", 1)
			}
			var sources []string
			for _, found := range block.FindAllStringSubmatch(text, -1) {
				switch {
				case strings.HasPrefix(found[1], "sources:\n"):
					sources = append(sources, strings.TrimPrefix(found[1], "sources:\n"))
				case strings.HasPrefix(found[1], "    map:"):
					sources = append(sources, source+found[1])
				default:
					t.Errorf("a block that is no source:\n%s", found[1])
				}
			}
			for _, found := range mapping.FindAllStringSubmatch(text, -1) {
				if !strings.Contains(found[1], "…") { // where the reader has to fill something in
					sources = append(sources, source+"    "+strings.Join(strings.Fields(found[1]), " ")+"\n")
				}
			}
			for _, s := range sources {
				parsed(t, before+"sources:\n"+s+"calendars:\n"+after)
			}
		})
	}
}
