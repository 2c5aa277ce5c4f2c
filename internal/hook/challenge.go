package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
)

// Answer is what a challenge is answered with.
type Answer struct {
	Header http.Header
	Body   []byte
}

// The ways in which a sender asks whether the address is ours, as presets call them.
const (
	metaChallenge        = "meta"
	linkedInChallenge    = "linkedin"
	cloudEventsChallenge = "cloudevents"
)

// ChallengeMethod is the HTTP method that challenges of a kind come with; "" when there are none of the kind.
func ChallengeMethod(kind string) string {
	switch kind {
	case metaChallenge, linkedInChallenge:
		return http.MethodGet
	case cloudEventsChallenge:
		return http.MethodOptions
	}
	return ""
}

// Challenge answers a sender that asks whether the address is ours. kind is the preset's, secrets are the source's. It is false when r
// asks nothing of the kind, asks with what we would not repeat, or does not know the word that it must.
func Challenge(kind string, r *Request, secrets []string) (answer Answer, ok bool) {
	if r.Method != ChallengeMethod(kind) {
		return answer, false
	}
	switch kind {
	case metaChallenge:
		return meta(r.Query, secrets)
	case linkedInChallenge:
		return linkedIn(r.Query, secrets)
	case cloudEventsChallenge:
		return permission(r.Header)
	}
	return answer, false
}

// VerifyToken is the word that Meta is told to ask with, made from the app's secret so that there is no second one to keep: whoever reads
// the word in Meta's settings learns nothing of the secret, and half of the sum signs nothing.
func VerifyToken(secret string) string {
	return hex.EncodeToString(keyed(secret, "verify-token"))[:32]
}

// meta echoes hub.challenge to whoever knows the verify token of one of the secrets.
func meta(query url.Values, secrets []string) (answer Answer, ok bool) {
	token, echo := one(query, "hub.verify_token"), one(query, "hub.challenge")
	if one(query, "hub.mode") != "subscribe" || !plain(echo, 256) {
		return answer, false
	}
	known := 0
	for _, secret := range secrets {
		known |= subtle.ConstantTimeCompare([]byte(token), []byte(VerifyToken(secret)))
	}
	if known == 0 {
		return answer, false
	}
	return say("text/plain; charset=utf-8", echo), true
}

// linkedIn proves that we know the client secret, the first that is there. It signs for anybody who asks: LinkedIn's own signatures of
// bodies begin with "hmacsha256=", and what is signed here holds no sign but a hyphen, so that none of those can be had by asking.
func linkedIn(query url.Values, secrets []string) (answer Answer, ok bool) {
	code := one(query, "challengeCode")
	if len(secrets) == 0 || !plain(code, 128) || strings.ContainsAny(code, "._") {
		return answer, false
	}
	return say("application/json", `{"challengeCode":"`+code+`","challengeResponse":"`+hex.EncodeToString(keyed(secrets[0], code))+`"}`), true
}

// permission lets the origin that asks deliver events, as the CloudEvents webhook specification has it. Who may is a matter of the proof
// that comes with each event; the handshake keeps a sender from being pointed at a door that knows nothing of it.
func permission(h http.Header) (answer Answer, ok bool) {
	origins := h.Values("WebHook-Request-Origin")
	if len(origins) != 1 || !plain(origins[0], 253) {
		return answer, false
	}
	answer.Header = http.Header{}
	answer.Header.Set("Allow", http.MethodPost)
	answer.Header.Set("WebHook-Allowed-Origin", origins[0])
	answer.Header.Set("WebHook-Allowed-Rate", "*")
	return answer, true
}

func say(kind, text string) Answer {
	return Answer{Header: http.Header{"Content-Type": {kind}, "X-Content-Type-Options": {"nosniff"}}, Body: []byte(text)}
}

func keyed(secret, text string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte(text)) // a hash never fails
	return mac.Sum(nil)
}

// one is a parameter that stands in the address exactly once, else "".
func one(query url.Values, name string) string {
	if v := query[name]; len(v) == 1 {
		return v[0]
	}
	return ""
}

// plain says whether text may be repeated to whoever sent it: letters, digits, and . _ - alone, and not too many.
func plain(text string, most int) bool {
	for _, c := range []byte(text) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._-", rune(c)) {
			return false
		}
	}
	return text != "" && len(text) <= most
}
