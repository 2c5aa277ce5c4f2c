package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/leadpact/app"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
)

// TestAnAgreementReadsItsOwnFolder: links within the folder are followed, as those of a mounted volume, and none that leads out of it.
func TestAnAgreementReadsItsOwnFolder(t *testing.T) {
	t.Parallel()
	head, clocks, ok := strings.Cut(string(apptest.Agreement), "clocks:\n")
	if !ok {
		t.Fatal("the agreement of the tests has no clocks")
	}
	root := t.TempDir()
	outside := filepath.Join(root, "outside")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(outside, "clocks.yaml"), "clocks:\n"+clocks)
	for name, c := range map[string]struct {
		target string // of the link clocks.yaml; empty for a file
		want   string // of the fault; empty for none
	}{
		"a file":                {"", ""},
		"a link in the folder":  {filepath.Join("..data", "clocks.yaml"), ""},
		"a link out of it":      {filepath.Join(outside, "clocks.yaml"), `"clocks.yaml" cannot be read: path escapes`},
		"a way out of it":       {filepath.Join("..", "outside", "clocks.yaml"), `"clocks.yaml" cannot be read: path escapes`},
		"a link to nothing":     {"nothing.yaml", `"clocks.yaml" cannot be read: no such file`},
		"a file that is larger": {"large.yaml", fmt.Sprintf("more than %d bytes together", agreement.MaxBytes)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(root, name)
			write(filepath.Join(folder, "real.yaml"), "include: clocks.yaml\n"+head)
			write(filepath.Join(folder, "..data", "clocks.yaml"), "clocks:\n"+clocks)
			write(filepath.Join(folder, "large.yaml"), strings.Repeat("#", 2*agreement.MaxBytes))
			included := filepath.Join(folder, "clocks.yaml")
			if c.target == "" {
				write(included, "clocks:\n"+clocks)
			} else if err := os.Symlink(c.target, included); err != nil {
				t.Fatal(err)
			}
			a, _, faults, err := app.LoadAgreement(filepath.Join(folder, "real.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if all := fmt.Sprint(faults); (a == nil) != (c.want != "") || !strings.Contains(all, c.want) || c.want == "" && len(faults) > 0 {
				t.Errorf("%s; want %q", all, c.want)
			}
		})
	}
	// The first file is whatever its name leads to; what it includes lies where its name stands.
	link := filepath.Join(t.TempDir(), "agreement.yaml")
	if err := os.Symlink(filepath.Join(outside, "real.yaml"), link); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(outside, "real.yaml"), string(apptest.Agreement))
	if a, _, faults, err := app.LoadAgreement(link); a == nil {
		t.Errorf("a link to the agreement: %v, %v", faults, err)
	}
}
