package hook

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The verify token is written down in the sender's settings: it may never change.
func TestVerifyToken(t *testing.T) {
	t.Parallel()
	if got := VerifyToken("test-secret-0001"); got != "47447a9d5af2d81ba61647166f95cfa0" {
		t.Errorf("the verify token is %s", got)
	}
}

func TestChallenge(t *testing.T) {
	t.Parallel()
	secrets := []string{"test-secret-0001", "test-secret-0000"}
	meta := func(token, echo string) url.Values {
		return url.Values{"hub.mode": {"subscribe"}, "hub.verify_token": {token}, "hub.challenge": {echo}}
	}
	const code, signed = "890e4665-4dfe-4ab1-b689-ed553bceeed0", "7b3ae6b69bc14c7c5a80ccdcaa71f3ef5274ea2f46039ecc41a6b6434e5dd19e"
	for _, c := range []struct {
		name, kind, method string
		query              url.Values
		header             http.Header
		want               string // "" for no answer
	}{
		{"Meta", "meta", "GET", meta(VerifyToken(secrets[0]), "1158201444"), nil, "1158201444"},
		{"Meta with the older secret", "meta", "GET", meta(VerifyToken(secrets[1]), "1158201444"), nil, "1158201444"},
		{"Meta with another word", "meta", "GET", meta(VerifyToken("x"), "1158201444"), nil, ""},
		{"Meta with the secret itself", "meta", "GET", meta(secrets[0], "1158201444"), nil, ""},
		{"Meta without a word", "meta", "GET", meta("", "1158201444"), nil, ""},
		{"Meta with two words", "meta", "GET", url.Values{"hub.mode": {"subscribe"}, "hub.verify_token": {"x", VerifyToken(secrets[0])}, "hub.challenge": {"1"}}, nil, ""},
		{"Meta with markup", "meta", "GET", meta(VerifyToken(secrets[0]), "<script>"), nil, ""},
		{"Meta with a long echo", "meta", "GET", meta(VerifyToken(secrets[0]), strings.Repeat("1", 257)), nil, ""},
		{"Meta with nothing to echo", "meta", "GET", meta(VerifyToken(secrets[0]), ""), nil, ""},
		{"Meta asks something else", "meta", "GET", url.Values{"hub.mode": {"unsubscribe"}, "hub.verify_token": {VerifyToken(secrets[0])}, "hub.challenge": {"1"}}, nil, ""},
		{"Meta posts", "meta", "POST", meta(VerifyToken(secrets[0]), "1"), nil, ""},
		{"LinkedIn", "linkedin", "GET", url.Values{"challengeCode": {code}, "applicationId": {"7"}}, nil, `{"challengeCode":"` + code + `","challengeResponse":"` + signed + `"}`},
		{"LinkedIn asks nothing", "linkedin", "GET", nil, nil, ""},
		{"LinkedIn's signature of a body", "linkedin", "GET", url.Values{"challengeCode": {`hmacsha256={"email":"eve@example.com"}`}}, nil, ""},
		{"LinkedIn's signature of an empty body", "linkedin", "GET", url.Values{"challengeCode": {"hmacsha256="}}, nil, ""},
		{"LinkedIn with an underscore", "linkedin", "GET", url.Values{"challengeCode": {"verify_token"}}, nil, ""},
		{"LinkedIn with a long code", "linkedin", "GET", url.Values{"challengeCode": {strings.Repeat("a", 129)}}, nil, ""},
		{"CloudEvents", "cloudevents", "OPTIONS", nil, http.Header{"Webhook-Request-Origin": {"events.example.com"}, "Webhook-Request-Rate": {"120"}}, "events.example.com *"},
		{"CloudEvents without an origin", "cloudevents", "OPTIONS", nil, nil, ""},
		{"CloudEvents with two origins", "cloudevents", "OPTIONS", nil, http.Header{"Webhook-Request-Origin": {"a.example", "b.example"}}, ""},
		{"CloudEvents with odd letters", "cloudevents", "OPTIONS", nil, http.Header{"Webhook-Request-Origin": {"a.example\r\nX: y"}}, ""},
		{"CloudEvents by GET", "cloudevents", "GET", nil, http.Header{"Webhook-Request-Origin": {"a.example"}}, ""},
		{"no challenges", "", "", nil, nil, ""},
		{"challenges of nobody", "nobody", "", nil, nil, ""},
	} {
		a, ok := Challenge(c.kind, &Request{Method: c.method, Query: c.query, Header: c.header}, secrets)
		got := string(a.Body)
		if c.kind == "cloudevents" && ok {
			got = a.Header.Get("WebHook-Allowed-Origin") + " " + a.Header.Get("WebHook-Allowed-Rate")
		}
		if ok != (c.want != "") || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, ok, c.want)
		}
	}
	for _, kind := range []string{"meta", "linkedin"} {
		q := meta(VerifyToken(""), "1")
		q.Set("challengeCode", code)
		if a, ok := Challenge(kind, &Request{Method: http.MethodGet, Query: q}, nil); ok {
			t.Errorf("%s is answered %q without a secret", kind, a.Body)
		}
	}
}
