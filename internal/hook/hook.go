// Package hook reads webhooks: it proves who sent one, decodes its body, and maps it to lead events by the preset and the agreement.
// PURE: it takes the time as a parameter, and nothing in it waits.
package hook

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"

	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
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

// RefusedKey tells a refused webhook from others, in hex: by its digest, and by the headers that came with it where they say which event
// it is, as CloudEvents' attributes and a sender's id do. Two of them may have the same body, down to none.
func RefusedKey(h *eventv1.HookRefused) string {
	key, named := append([]byte(nil), h.GetDigest()...), false
	for _, one := range h.GetHeaders() {
		if name := one.GetName(); name != "Content-Type" && name != "Content-Encoding" {
			key, named = fmt.Appendf(key, "%d:%s%d:%s", len(name), name, len(one.GetValue()), one.GetValue()), true
		}
	}
	if !named {
		return hex.EncodeToString(key)
	}
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}
