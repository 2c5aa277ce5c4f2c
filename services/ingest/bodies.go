package ingest

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
)

var errCrowded = errors.New("too many bodies are in hand")

// bodies reads raw bodies, each bounded in size and in time by the server, and all in hand together bounded in bytes. Only bytes
// that came count: senders that are connected and say nothing take no room.
type bodies struct {
	largest, most int64
	held          atomic.Int64
}

// read returns the raw bytes. release gives their room back, and must be called also when there is a problem.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (body []byte, release func(), p *Problem) {
	c := &counted{from: http.MaxBytesReader(w, r.Body, b.largest), in: b}
	release = func() { b.held.Add(-c.taken) }
	body, err := io.ReadAll(c)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return body, release, nil
	case errors.As(err, &tooLarge):
		return nil, release, &Problem{
			Type: typeTooLarge, Title: "Body too large", Status: http.StatusRequestEntityTooLarge,
			Detail: "at most " + strconv.FormatInt(b.largest, 10) + " bytes are taken; send fewer events at once",
		}
	case errors.Is(err, errCrowded):
		return nil, release, unavailable("too much is coming in at once")
	default:
		return nil, release, &Problem{Type: typeTimeout, Title: "Body not complete", Status: http.StatusRequestTimeout, Detail: "the body did not arrive whole and in time"}
	}
}

// counted charges what it reads to the bodies in hand.
type counted struct {
	from  io.Reader
	in    *bodies
	taken int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.taken += int64(n)
	if c.in.held.Add(int64(n)) > c.in.most {
		return n, errCrowded
	}
	return n, err
}
