package ingest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/hook"
)

// Problem is a refusal as RFC 9457 writes it. Type is stable; Detail says what to do. Of the body it repeats nothing but the
// ids of refused events.
type Problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail,omitempty"`
	Events []hook.Refusal `json:"refused,omitempty"`

	retryAfter time.Duration
	// poison says that the body proved its sender: it is kept.
	poison bool
}

// The problem types, each explained in docs/problems.md.
const (
	typeUnknownSource = "/problems/unknown-source"
	typeChallenge     = "/problems/challenge"
	typeMethod        = "/problems/method"
	typeMediaType     = "/problems/media-type"
	typeTooLarge      = "/problems/too-large"
	typeTimeout       = "/problems/slow-body"
	typeSignature     = "/problems/signature"
	typeBody          = "/problems/body"
	typeEvent         = hook.TypeEvent
	typeAccount       = "/problems/account"
	typeRate          = "/problems/rate-limit"
	typeUnavailable   = "/problems/unavailable"
	typeSource        = "/problems/source-setup"
)

func (p *Problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(max(1, int(p.retryAfter/time.Second))))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the sender may have gone; nothing is owed to him then
}

func unavailable(detail string) *Problem {
	return &Problem{
		Type: typeUnavailable, Title: "Not accepted for now", Status: http.StatusServiceUnavailable,
		Detail: detail + "; nothing is lost if you send the same request again", retryAfter: 2 * time.Second,
	}
}

// notSetUp gives the operator time to set the secret; it counts without a restart.
func notSetUp() *Problem {
	return &Problem{
		Type: typeSource, Title: "Source not set up", Status: http.StatusServiceUnavailable,
		Detail: "a secret of this source is missing on our side; send the same request again later", retryAfter: 30 * time.Second,
	}
}

func unsigned(detail string) *Problem {
	return &Problem{Type: typeSignature, Title: "Signature not valid", Status: http.StatusUnauthorized, Detail: detail}
}

// tooOften turns away a source that has used up what its agreement lets it post.
func tooOften(wait time.Duration) *Problem {
	return &Problem{
		Type: typeRate, Title: "Too many requests", Status: http.StatusTooManyRequests,
		Detail:     "the agreement lets this source post less often; nothing is lost if you send the same request again",
		retryAfter: (wait + time.Second - 1).Truncate(time.Second), // not a moment too early
	}
}

// noisy turns away a source that has so much in hand that others would have to wait for it.
func noisy() *Problem {
	return &Problem{
		Type: typeRate, Title: "Too many requests", Status: http.StatusTooManyRequests,
		Detail: errNoisy.Error() + "; nothing is lost if you send the same request again", retryAfter: 2 * time.Second,
	}
}

// notAllowed tells which methods the address takes.
func notAllowed(w http.ResponseWriter, allowed ...string) *Problem {
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return &Problem{Type: typeMethod, Title: "Method not allowed", Status: http.StatusMethodNotAllowed, Detail: "webhooks are posted"}
}
