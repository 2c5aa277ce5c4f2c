package printer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnknown: a name that is no program is told, and none other is taken instead.
func TestUnknown(t *testing.T) {
	t.Parallel()
	if _, err := Find(filepath.Join(t.TempDir(), "chromium")); err == nil || !strings.Contains(err.Error(), "name a Chromium") {
		t.Errorf("the error is %v", err)
	}
}

// TestFails: a program that prints nothing is told with what it said.
func TestFails(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "chromium")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho no display >&2\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := Find(program)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.PDF(t.Context(), []byte("<p>page</p>")); err == nil || !strings.Contains(err.Error(), "no display") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("the error is %v", err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	const three = "1 0 obj <</Type /Pages /Count 3 /Kids [2 0 R]>> 2 0 obj <</Type /Page /A 1>> 3 0 obj <</Type/Page>> 4 0 obj <</Type /Page\n/B 2>>"
	if n := Pages([]byte(three)); n != 3 {
		t.Errorf("%d pages, not 3", n)
	}
}
