package ingest

import (
	"math"
	"net/http"
	"strconv"

	"github.com/leadpact/leadpact/internal/hook"
)

// challenge answers a sender that asks whether the address is ours, in the way of the source's preset.
func (s *Service) challenge(w http.ResponseWriter, r *http.Request, d *door) (a answer, problem *Problem) {
	method := hook.ChallengeMethod(d.source.Tool.Challenge)
	switch {
	case method == "":
		return a, notAllowed(w, http.MethodPost)
	case r.Method != method:
		return a, notAllowed(w, http.MethodPost, method)
	}
	said, ok := hook.Challenge(d.source.Tool.Challenge, s.request(r, nil), d.secrets)
	switch {
	case !ok && d.missing != nil: // the sender may know the word that we lack
		return a, notSetUp()
	case !ok:
		return a, &Problem{
			Type: typeChallenge, Title: "Challenge not answered", Status: http.StatusForbidden,
			Detail: "the request is not one by which this source's tool asks for the address, or its word is not the one that belongs to the source's secret",
		}
	}
	const rate = "Webhook-Allowed-Rate"
	if limit := d.source.Limit.PerSecond; limit > 0 && said.Header.Get(rate) != "" {
		said.Header.Set(rate, strconv.Itoa(max(1, int(math.Floor(limit*60))))) // it counts by the minute
	}
	return answer{status: http.StatusOK, header: said.Header, body: said.Body}, nil
}
