package rehearsal

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
)

// Sample is a body as a source's tool posts it, from an account that the agreement takes, and its media type.
func Sample(a *agreement.Agreement, s agreement.Source) (body []byte, media string, err error) {
	body, media, err = preset.Sample(s.Tool.Name)
	if err != nil {
		return nil, "", err
	}
	if slices.Contains(s.Tool.Formats, preset.CloudEvents) {
		media = Media(s.Tool.Formats, body)
	}
	if len(s.Accounts) == 0 {
		return body, media, nil
	}
	seen, err := hook.New(a, s).Inspect(&hook.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {media}}, Body: body})
	if err != nil {
		return nil, "", fmt.Errorf("the sample of %s: %w", s.Tool.Name, err)
	}
	if seen.Account != "" {
		body = bytes.ReplaceAll(body, []byte(seen.Account), []byte(s.Accounts[0]))
	}
	return body, media, nil
}
