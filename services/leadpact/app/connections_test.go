package app

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A crowd that connects and says nothing is bounded, and shuts nobody out.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	const most, crowd = 32, 500
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") }))
	open := newConnections(most)
	server.Config.ConnState = open.track
	server.Start()
	address := server.Listener.Addr().String()
	dial := func() net.Conn {
		t.Helper()
		var d net.Dialer
		c, err := d.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	ask := func(c net.Conn) error {
		if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return err
		}
		answer := make([]byte, len("HTTP/1.1 200 OK"))
		_, err := io.ReadFull(c, answer)
		if err == nil && string(answer) != "HTTP/1.1 200 OK" {
			err = fmt.Errorf("answered %q", answer)
		}
		return err
	}
	var idle []net.Conn
	for i := range crowd {
		c := dial()
		idle = append(idle, c)
		if i%10 == 0 { // some were served once
			if err := ask(c); err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
		}
	}
	late := dial()
	if err := ask(late); err != nil {
		t.Fatalf("one that comes after the crowd: %v", err)
	}
	open.mu.Lock()
	if n := len(open.open); n > most {
		t.Errorf("%d connections are open, want at most %d", n, most)
	}
	open.mu.Unlock()
	// The first of the crowd was closed: whoever reads there is told so.
	if _, err := io.ReadAll(idle[1]); err != nil {
		t.Errorf("the longest idle connection is not closed: %v", err)
	}
	for _, c := range append(idle, late) {
		_ = c.Close()
	}
	server.Close()
	open.mu.Lock()
	defer open.mu.Unlock()
	if len(open.open) != 0 || open.idle.Len() != 0 {
		t.Errorf("%d connections are still known, %d of them idle", len(open.open), open.idle.Len())
	}
}

// While all are at work, one that comes is closed, and none of those at work.
func TestConnectionsAtWorkStay(t *testing.T) {
	t.Parallel()
	c := newConnections(2)
	var ends []net.Conn
	conn := func() net.Conn {
		a, b := net.Pipe()
		ends = append(ends, a, b)
		return a
	}
	one, two, three := conn(), conn(), conn()
	defer func() {
		for _, e := range ends {
			_ = e.Close()
		}
	}()
	for _, busy := range []net.Conn{one, two} {
		if closed := c.note(busy, http.StateNew); closed != nil {
			t.Fatal("closed below the bound")
		}
		c.note(busy, http.StateActive)
	}
	if closed := c.note(three, http.StateNew); closed != three {
		t.Errorf("closed %v, want the one that came", closed)
	}
	c.note(three, http.StateClosed)
	c.note(one, http.StateIdle)
	if closed := c.note(conn(), http.StateNew); closed != one {
		t.Errorf("closed %v, want the idle one", closed)
	}
}
