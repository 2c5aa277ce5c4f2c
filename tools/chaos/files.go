package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:embed agreement.yaml
var agreementText []byte

//go:embed roster.yaml
var rosterText []byte

// Secrets of a run on loopback.
const (
	websiteSecret    = "chaos-website"
	leadKey          = "chaos-chaos-chaos-chaos-chaos-ok"
	mauticSecret     = "chaos-mautic" //nolint:gosec // nobody else listens there
	hubspotSecret    = "chaos-hubspot"
	salesforceSecret = "chaos-salesforce"
	salesforceOrg    = "00D000000000001"
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

// sign gives each side a key, writes both into the agreement, and lets both sign it, as production asks.
func sign(ctx context.Context, o options) error {
	sides, parties := []string{"marketing", "sales"}, []string{}
	for _, side := range sides {
		key, err := command(ctx, o, "keygen", "--out", side+".key")
		if err != nil {
			return fmt.Errorf("make the key of %s: %w", side, err)
		}
		parties = append(parties, fmt.Sprintf("%s: {name: %s, key: %q}", side, side, key))
	}
	const unsigned = "parties: {marketing: Marketing, sales: Sales}"
	text := strings.Replace(string(agreementText), unsigned, "parties: {"+strings.Join(parties, ", ")+"}", 1)
	if err := os.WriteFile(filepath.Join(o.dir, "agreement.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	for _, side := range sides {
		if _, err := command(ctx, o, "sign", "agreement.yaml", "--as", side, "--key", side+".key"); err != nil {
			return fmt.Errorf("sign for %s: %w", side, err)
		}
	}
	return nil
}

func environment() []string {
	return append(os.Environ(), "CHAOS_WEBSITE="+websiteSecret, "CHAOS_LEAD_KEY="+leadKey,
		"CHAOS_MAUTIC="+mauticSecret, "CHAOS_HUBSPOT="+hubspotSecret, "CHAOS_SALESFORCE="+salesforceSecret)
}
