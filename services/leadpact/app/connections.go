package app

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// mostConnections bounds those that are open at the public door. Each takes a file and some kilobytes, which the event log and the
// databases must not lack.
const mostConnections = 4096

// connections bounds those that are open: the one that has been idle the longest is closed for one that comes, so that a crowd which
// says nothing shuts nobody out. Its track is an http.Server's ConnState.
type connections struct {
	most int

	mu   sync.Mutex
	open map[net.Conn]*list.Element // nil while a request is under way
	idle list.List                  // of net.Conn, the longest idle first
}

func newConnections(most int) *connections {
	return &connections{most: most, open: map[net.Conn]*list.Element{}}
}

func (c *connections) track(conn net.Conn, state http.ConnState) {
	if oldest := c.note(conn, state); oldest != nil {
		_ = oldest.Close() // its server finds out, and says that it is closed
	}
}

// note returns the connection that is to be closed.
func (c *connections) note(conn net.Conn, state http.ConnState) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if waits := c.open[conn]; waits != nil {
		c.idle.Remove(waits)
	}
	switch state {
	case http.StateNew, http.StateIdle:
		c.open[conn] = c.idle.PushBack(conn)
	case http.StateActive:
		c.open[conn] = nil
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
	if len(c.open) <= c.most {
		return nil
	}
	first := c.idle.Front()
	if first == nil {
		return nil // all are at work, and each of them is bounded in time
	}
	oldest := c.idle.Remove(first).(net.Conn) //nolint:errcheck,forcetypeassert // it holds nothing else
	delete(c.open, oldest)
	return oldest
}
