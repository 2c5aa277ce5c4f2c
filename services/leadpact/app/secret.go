package app

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Secret resolves a reference to a secret: "env:NAME" or "file:PATH". The error names the reference, never a value.
func Secret(ref string) (string, error) {
	kind, name, _ := strings.Cut(ref, ":")
	switch kind {
	case "env":
		if v := os.Getenv(name); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("the environment variable %s is not set: it should hold a secret", name)
	case "file":
		data, err := os.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("read a secret: %w", err)
		}
		if v := strings.TrimSpace(string(data)); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("the file %s is empty: it should hold a secret", name)
	}
	// Nothing of ref is shown: it may be the secret itself.
	return "", errors.New("a secret is given by reference, never itself: write env:NAME or file:PATH")
}
