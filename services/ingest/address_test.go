package ingest

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::7/128")}
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	forwarded := header("X-Forwarded-Proto", "https", "X-Forwarded-Host", "leads.example.com")
	for _, c := range []struct {
		name, public, remote, target string
		tls                          bool
		header                       http.Header
		want                         string
	}{
		{"as it came", "", "192.0.2.1:1", "/v1/hooks/a?b=1&c=%20x", false, nil, "http://door.example/v1/hooks/a?b=1&c=%20x"},
		{"over TLS", "", "192.0.2.1:1", "/v1/hooks/a", true, nil, "https://door.example/v1/hooks/a"},
		{"escapes stay", "", "192.0.2.1:1", "/v1/hooks/a%2Fb?", false, nil, "http://door.example/v1/hooks/a%2Fb?"},
		{"public", "https://leads.example.com", "192.0.2.1:1", "/v1/hooks/a?b=1", false, nil, "https://leads.example.com/v1/hooks/a?b=1"},
		{"public with a path", "https://example.com:8443/leadpact/", "192.0.2.1:1", "/v1/hooks/a", true, nil, "https://example.com:8443/leadpact/v1/hooks/a"},
		{"public wins over a proxy", "https://example.com", "10.1.2.3:1", "/v1/hooks/a", false, forwarded, "https://example.com/v1/hooks/a"},
		{"a trusted proxy", "", "10.1.2.3:1", "/v1/hooks/a?b", false, forwarded, "https://leads.example.com/v1/hooks/a?b"},
		{"a trusted proxy on IPv6", "", "[2001:db8::7]:1", "/v1/hooks/a", false, forwarded, "https://leads.example.com/v1/hooks/a"},
		{"a trusted proxy, IPv4 in IPv6", "", "[::ffff:10.1.2.3]:1", "/v1/hooks/a", false, forwarded, "https://leads.example.com/v1/hooks/a"},
		{"a stranger", "", "192.0.2.1:1", "/v1/hooks/a", false, forwarded, "http://door.example/v1/hooks/a"},
		{"an address that is none", "", "@", "/v1/hooks/a", false, forwarded, "http://door.example/v1/hooks/a"},
		{"a proxy that says nothing", "", "10.1.2.3:1", "/v1/hooks/a", true, nil, "https://door.example/v1/hooks/a"},
		{"another scheme", "", "10.1.2.3:1", "/v1/hooks/a", false, header("X-Forwarded-Proto", "gopher"), "http://door.example/v1/hooks/a"},
		{"two values", "", "10.1.2.3:1", "/v1/hooks/a", false, header("X-Forwarded-Proto", "http, https", "X-Forwarded-Host", "a.example,b.example"), "http://door.example/v1/hooks/a"},
		{"two headers", "", "10.1.2.3:1", "/v1/hooks/a", false, header("X-Forwarded-Host", "a.example", "X-Forwarded-Host", "b.example"), "http://door.example/v1/hooks/a"},
	} {
		a, err := newAddresses(c.public, trusted)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.target, nil)
		r.Host, r.RemoteAddr = "door.example", c.remote
		if c.header != nil {
			r.Header = c.header
		}
		if r.TLS = nil; c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if got := a.of(r); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for _, bad := range []string{"leads.example.com", "//leads.example.com", "ftp://x", "https://", "https://u:p@x", "https://x?y", "https://x/?", "https://x#y", "https://x y", "/x"} {
		if _, err := newAddresses(bad, nil); err == nil {
			t.Errorf("%q is taken for a public address", bad)
		}
	}
}

// A signature that covers the address holds when the address is known: told, or said by a proxy that is trusted, and else not.
func TestSignedAddress(t *testing.T) {
	t.Parallel()
	const public = "https://leads.example.com"
	text := strings.Replace(contract, "\ncalendars:", "\n  hub: {preset: hubspot-workflow, secret: env:SIGNED}\ncalendars:", 1)
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest's requests come from there
	for _, c := range []struct {
		name   string
		change func(*Config)
		header http.Header
		taken  bool
	}{
		{"told", func(c *Config) { c.PublicURL = public }, nil, true},
		{"told with a slash", func(c *Config) { c.PublicURL = public + "/" }, nil, true},
		{"told wrong", func(c *Config) { c.PublicURL = "https://other.example.com" }, nil, false},
		{"not told", nil, nil, false},
		{"said by a proxy", func(c *Config) { c.TrustedProxies = proxies }, http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"leads.example.com"}}, true},
		{"said by a stranger", nil, http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"leads.example.com"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, &faulty{partitions: 1}, c.change).opened()
			a := parsed(t, text)
			w.agreements.Store(a)
			source, ok := a.Source("hub")
			if !ok {
				t.Fatal("no source")
			}
			body, kind, err := preset.Sample("hubspot-workflow")
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/hooks/hub?portal=1", bytes.NewReader(body))
			for name, v := range c.header {
				r.Header[name] = v
			}
			r.Header.Set("Content-Type", kind)
			signed := &hook.Request{Method: r.Method, URI: public + "/v1/hooks/hub?portal=1", Header: r.Header, Body: body}
			if err := hook.Sign(source.Verify.Proof, "signing-secret", signed, w.clock.now()); err != nil {
				t.Fatal(err)
			}
			if rec := w.send(r); c.taken {
				w.took(c.name, rec)
			} else {
				w.refused(c.name, rec, http.StatusUnauthorized, typeSignature)
			}
		})
	}
}
