package app_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/leadpact/leadpact/services/leadpact/app"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
)

// TestAdminDoor asks both doors for the same things: profiles are on the admin door alone.
func TestAdminDoor(t *testing.T) {
	t.Parallel()
	cfg := apptest.Config(t, t.TempDir())
	cfg.Admin = "127.0.0.1:0"
	s := apptest.Start(t, cfg)
	// What pprof writes is gzip: 1f 8b.
	for path, want := range map[string]struct{ admin, public string }{
		"/livez":                             {"ok\n", "ok\n"},
		"/readyz":                            {"bus: ok\n", "bus: ok\n"},
		"/metrics":                           {"\nleadpact_build_info", "\nleadpact_build_info"},
		"/debug/pprof/":                      {"goroutine", ""},
		"/debug/pprof/heap":                  {"\x1f\x8b", ""},
		"/debug/pprof/goroutine?debug=1":     {"goroutine profile: total ", ""},
		"/debug/pprof/profile?seconds=1":     {"\x1f\x8b", ""},
		"/debug/pprof/trace?seconds=0.01":    {"go 1.", ""},
		"/debug/pprof/symbol":                {"num_symbols: 1\n", ""},
		"/debug/pprof/cmdline":               {"", ""}, // a database's password may stand there
		"/v1/hooks/website/debug/pprof/heap": {"", ""},
		"//debug/pprof/heap":                 {"\x1f\x8b", ""}, // by way of a redirect
	} {
		t.Run(path, func(t *testing.T) {
			for door, in := range map[string]string{s.AdminAddr(): want.admin, s.HTTPAddr(): want.public} {
				code, body := get(t, "http://"+door+path)
				if in == "" && code != http.StatusNotFound && code != http.StatusMethodNotAllowed {
					t.Errorf("%s answers %d", door, code)
				}
				if in != "" && (code != http.StatusOK || !strings.Contains(body, in)) {
					t.Errorf("%s answers %d and not %q: %.200q", door, code, in, body)
				}
			}
		})
	}
	// The admin door takes no webhooks.
	if code, _ := get(t, "http://"+s.AdminAddr()+"/v1/hooks/website"); code != http.StatusNotFound {
		t.Errorf("the admin door answers a hook with %d", code)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.AdminAddr()); err == nil {
		_ = c.Close()
		t.Error("the admin door is open after the stop")
	}
}

// TestAdminDoorStops leaves in the midst of a profile of an hour. A process has one tracer, and another test asks for it: this one
// runs before the parallel ones.
func TestAdminDoorStops(t *testing.T) {
	cfg := apptest.Config(t, t.TempDir())
	cfg.Admin = "127.0.0.1:0"
	s := apptest.Start(t, cfg)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.AdminAddr()+"/debug/pprof/trace?seconds=3600", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req) // its first bytes have come: it is under way
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() // cut off below
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("an hour of profile came to its end")
	}
}

// TestNoAdminDoor: nobody asked for one.
func TestNoAdminDoor(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Config(t, t.TempDir()))
	if s.AdminAddr() != "" {
		t.Errorf("there is an admin door at %s", s.AdminAddr())
	}
	if code, _ := s.Get(t, "/debug/pprof/"); code != http.StatusNotFound {
		t.Errorf("the public door answers %d to who asks for profiles", code)
	}
}

// TestAdminDoorWarns: beyond loopback it is what somebody said, and said aloud again.
func TestAdminDoorWarns(t *testing.T) {
	t.Parallel()
	for addr, warned := range map[string]bool{"127.0.0.1:0": false, "localhost:0": false, "0.0.0.0:0": true, ":0": true} {
		t.Run(addr, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			cfg := apptest.Config(t, t.TempDir())
			cfg.Admin, cfg.Logger = addr, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			a, err := app.New(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(log.String(), "the admin door is open beyond this machine") != warned {
				t.Errorf("logged %q", log.String())
			}
		})
	}
}

// TestAdminDoorTaken: an address that another door of the same process has is as taken as one of a stranger.
func TestAdminDoorTaken(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() // nothing was accepted
	data := t.TempDir()
	cfg := apptest.Config(t, data)
	cfg.Admin = taken.Addr().String()
	_, err = app.New(t.Context(), cfg)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "listen for admin on "+cfg.Admin) || !strings.Contains(err.Error(), "with --admin") {
		t.Errorf("told %v", err)
	}
	apptest.Start(t, apptest.Config(t, data)) // what was opened before is closed again
}

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
