// Package hook reads webhooks: it proves who sent one, decodes its body, and maps it to lead events by the preset and the agreement.
// PURE: it takes the time as a parameter, and nothing in it waits.
package hook

import (
	"net/http"
	"net/url"
)

// Request is what was posted, as far as its proof and its meaning depend on it.
type Request struct {
	Method string
	// URI is the whole public address, as the sender knows it: https://host/v1/hooks/NAME?query.
	URI    string
	Query  url.Values
	Header http.Header
	// Body is the raw bytes.
	Body []byte
}
