// Package hook reads webhooks: it proves who sent one, decodes its body, and maps it to lead events by the preset and the agreement.
// PURE: it takes the time as a parameter, and nothing in it waits.
package hook

import (
	"crypto/sha256"
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
	// Digest is that of the body as it was posted, when a secret in it was blanked since; nil is the digest of Body.
	Digest []byte
}

// Digest is SHA-256 of a source's name, a line feed and a body: what tells a body from others when its sender gives no id.
func Digest(source string, body []byte) []byte {
	sum := sha256.Sum256(append([]byte(source+"\n"), body...))
	return sum[:]
}
