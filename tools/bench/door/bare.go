package door

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/leadpact/leadpact/tools/bench/work"
)

// bare is the least that a webhook door does with the same libraries: read, prove the signature, decode, answer 202. It keeps
// nothing.
func bare(_ context.Context, _ string) (http.Handler, func() error, error) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<10))
		if err != nil {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		mac := hmac.New(sha256.New, []byte(work.Secret))
		_, _ = mac.Write(body) // a hash never fails
		given, err := hex.DecodeString(strings.TrimPrefix(r.Header.Get("X-Signature"), "sha256="))
		if err != nil || !hmac.Equal(mac.Sum(nil), given) {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		var e struct {
			ID     string `json:"id"`
			Type   string `json:"type"`
			Email  string `json:"email"`
			Name   string `json:"name"`
			Fields struct {
				Employees  float64 `json:"employees"`
				Country    string  `json:"country"`
				Industry   string  `json:"industry"`
				Title      string  `json:"title"`
				Segment    string  `json:"segment"`
				HandRaiser bool    `json:"hand_raiser"`
			} `json:"fields"`
		}
		if err := json.Unmarshal(body, &e); err != nil || e.ID == "" || e.Email == "" {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	return h, func() error { return nil }, nil
}
