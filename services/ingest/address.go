package ingest

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// addresses knows under which public address senders reach the door: some signatures cover it.
type addresses struct {
	public  string // with neither path nor slash at its end, or with a path that a proxy takes away; "" when it was not told
	proxies []netip.Prefix
}

// newAddresses checks what was configured.
func newAddresses(public string, proxies []netip.Prefix) (addresses, error) {
	if public == "" {
		return addresses{proxies: proxies}, nil
	}
	u, err := url.Parse(public)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return addresses{}, errors.New("--public-url: write https://HOST or https://HOST/PATH, what stands before /v1/hooks in the address that senders are given")
	}
	return addresses{public: strings.TrimRight(public, "/"), proxies: proxies}, nil
}

// of is the whole address as the sender of r knows it.
func (a addresses) of(r *http.Request) string {
	out := a.public
	if out == "" {
		out = a.origin(r)
	}
	out += r.URL.EscapedPath()
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		out += "?" + r.URL.RawQuery
	}
	return out
}

// origin is scheme and host of the connection, or what a proxy that is trusted says of the one before it. Of two values it is not known
// who wrote which, so neither counts.
func (a addresses) origin(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if len(a.proxies) > 0 && a.trusts(r.RemoteAddr) {
		if v := single(r.Header, "X-Forwarded-Proto"); v == "http" || v == "https" {
			scheme = v
		}
		if v := single(r.Header, "X-Forwarded-Host"); v != "" {
			host = v
		}
	}
	return scheme + "://" + host
}

func (a addresses) trusts(remote string) bool {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	from := at.Addr().Unmap().WithZone("")
	for _, p := range a.proxies {
		if p.Contains(from) {
			return true
		}
	}
	return false
}

// single is a header that stands once, with one value; else "".
func single(h http.Header, name string) string {
	if v := h[name]; len(v) == 1 && !strings.Contains(v[0], ",") {
		return strings.TrimSpace(v[0])
	}
	return ""
}
