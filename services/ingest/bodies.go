package ingest

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
)

var errCrowded = errors.New("too many bodies are in hand")

// bodies reads raw bodies, each bounded in size and in time by the server, and all in hand together bounded in bytes, of which one
// source may hold no more than it leaves. Only bytes that came count: senders that are connected and say nothing take no room.
type bodies struct {
	largest, most int64
	held          atomic.Int64
}

// read returns the raw bytes. release gives their room back, and must be called also when there is a problem.
func (b *bodies) read(w http.ResponseWriter, r *http.Request, of *share) (body []byte, release func(), p *Problem) {
	c := &counted{from: http.MaxBytesReader(w, r.Body, b.largest), in: b, of: of}
	release = func() {
		b.held.Add(-c.taken)
		of.held.Add(-c.taken)
	}
	body, err := c.all(r.ContentLength, b.largest)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return body, release, nil
	case errors.As(err, &tooLarge):
		return nil, release, &Problem{
			Type: typeTooLarge, Title: "Body too large", Status: http.StatusRequestEntityTooLarge,
			Detail: "at most " + strconv.FormatInt(b.largest, 10) + " bytes are taken; send fewer events at once",
		}
	case errors.Is(err, errNoisy):
		return nil, release, noisy()
	case errors.Is(err, errCrowded):
		return nil, release, unavailable("too much is coming in at once")
	default:
		return nil, release, &Problem{Type: typeTimeout, Title: "Body not complete", Status: http.StatusRequestTimeout, Detail: "the body did not arrive whole and in time"}
	}
}

// all reads to the end. expected is the length that the sender promises, -1 when he does not; room for it is made at once, but no
// more than most bodies need: promises are not charged.
func (c *counted) all(expected, largest int64) ([]byte, error) {
	const most = 16 << 10
	body := make([]byte, 0, max(512, min(expected+1, largest+1, most)))
	for {
		n, err := c.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return body, err
		}
		if len(body) == cap(body) {
			body = slices.Grow(body, len(body))
		}
	}
}

// counted charges what it reads to the bodies in hand.
type counted struct {
	from  io.Reader
	in    *bodies
	of    *share
	taken int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.taken += int64(n)
	all, own := c.in.held.Add(int64(n)), c.of.held.Add(int64(n))
	switch {
	case own > c.in.most/2:
		return n, errNoisy
	case all > c.in.most:
		return n, errCrowded
	case own > c.in.most-all: // more than is left for the others
		return n, errNoisy
	}
	return n, err
}
