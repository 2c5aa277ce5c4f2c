// Package printer prints a page to PDF with the Chromium that is installed.
package printer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// Printer is a Chromium that prints.
type Printer struct{ path string }

// patience is how long it may take.
const patience = 2 * time.Minute

// Find is the named Chromium, or the first that is installed when the name is empty. The error says what to install.
func Find(name string) (*Printer, error) {
	if name != "" {
		path, err := exec.LookPath(name)
		if err != nil {
			return nil, fmt.Errorf("%s is no program: name a Chromium or Chrome", name)
		}
		return &Printer{path}, nil
	}
	for _, name := range []string{
		"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium",
	} {
		if path, err := exec.LookPath(name); err == nil {
			return &Printer{path}, nil
		}
	}
	return nil, errors.New("no Chromium and no Chrome is installed: install one (Debian: apt-get install chromium) or name one; " +
		"or write the page and print it from any browser")
}

// PDF prints a page that loads nothing. The Chromium has a profile of its own, apart from the person's.
func (p *Printer) PDF(ctx context.Context, page []byte) ([]byte, error) {
	dir, err := os.MkdirTemp("", "leadpact-print-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	from, to := filepath.Join(dir, "page.html"), filepath.Join(dir, "page.pdf")
	if err := os.WriteFile(from, page, 0o600); err != nil {
		return nil, err
	}
	args := []string{
		"--headless", "--disable-gpu", "--disable-extensions", "--no-first-run", "--user-data-dir=" + filepath.Join(dir, "profile"),
		"--no-pdf-header-footer", "--print-to-pdf=" + to,
	}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // Chromium will not be root with one; the page runs nothing
	}
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	var said bytes.Buffer
	run := exec.CommandContext(ctx, p.path, append(args, "file://"+filepath.ToSlash(from))...) //nolint:gosec // the person at the keyboard names it
	run.Stdout, run.Stderr = &said, &said
	run.WaitDelay = time.Second // its children may hold the pipes
	err = run.Run()
	pdf, unread := os.ReadFile(to)
	if err := errors.Join(err, unread); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", p.path, err, bytes.TrimSpace(said.Bytes()))
	}
	return pdf, nil
}

var leaf = regexp.MustCompile(`/Type\s*/Page\b`)

// Pages counts the pages of a PDF as Chromium writes it: its page objects stand uncompressed.
func Pages(pdf []byte) int { return len(leaf.FindAll(pdf, -1)) }
