package main

import (
	_ "embed"
	"os"
	"path/filepath"
)

//go:embed agreement.yaml
var agreementText []byte

//go:embed roster.yaml
var rosterText []byte

// Secrets of a run on loopback.
const (
	websiteSecret = "chaos-website"
	leadKey       = "chaos-chaos-chaos-chaos-chaos-ok"
)

// reps who answer; the others stay silent.
var answering = []string{"ana", "bo", "kai"}

func writeFiles(dir string) error {
	for name, text := range map[string][]byte{"agreement.yaml": agreementText, "roster.yaml": rosterText} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func environment() []string {
	return append(os.Environ(), "CHAOS_WEBSITE="+websiteSecret, "CHAOS_LEAD_KEY="+leadKey)
}
