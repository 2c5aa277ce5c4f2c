package door

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/leadpact/leadpact/tools/bench/work"
)

// distinct is how many bodies are made beforehand, so that signing them costs the cores nothing while a door is measured. They are
// sent again and again; a door does not know.
const distinct = 20_000

// sender posts over connections that stay open, each with one request in flight. It writes requests that are made beforehand and
// reads as little of an answer as must be, so that it takes as little of the cores as it can.
type sender struct {
	requests [][]byte
	conns    []*conn
}

type conn struct {
	net.Conn
	r         *bufio.Reader
	latencies []float64 // ms, of every 16th request
	at        int
}

func newSender(ctx context.Context, addr string, connections int) (*sender, error) {
	s := &sender{requests: make([][]byte, distinct)}
	for n := range s.requests {
		body := work.Body(n, work.Handed(n, 0.3))
		mac := hmac.New(sha256.New, []byte(work.Secret))
		_, _ = mac.Write(body) // a hash never fails
		s.requests[n] = fmt.Appendf(nil, "POST /v1/hooks/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nX-Signature: sha256=%s\r\nContent-Length: %d\r\n\r\n%s",
			work.Source, addr, hex.EncodeToString(mac.Sum(nil)), len(body), body)
	}
	var d net.Dialer
	for i := range connections {
		c, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			s.close()
			return nil, err
		}
		s.conns = append(s.conns, &conn{Conn: c, r: bufio.NewReaderSize(c, 4<<10), at: i * distinct / connections})
	}
	return s, nil
}

func (s *sender) close() {
	for _, c := range s.conns {
		_ = c.Close() // nothing is in flight
	}
}

// post sends for a while and returns how many requests were answered 202; any other answer is an error.
func (s *sender) post(ctx context.Context, during time.Duration) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	sent := make([]int, len(s.conns))
	errs := make([]error, len(s.conns))
	var all sync.WaitGroup
	for i, c := range s.conns {
		c.latencies = c.latencies[:0]
		all.Go(func() { sent[i], errs[i] = c.run(ctx, s.requests) })
	}
	all.Wait()
	total := 0
	for _, n := range sent {
		total += n
	}
	return total, errors.Join(errs...)
}

// sample is the latencies of the last post, in ms.
func (s *sender) sample() []float64 {
	var out []float64
	for _, c := range s.conns {
		out = append(out, c.latencies...)
	}
	return out
}

func (c *conn) run(ctx context.Context, requests [][]byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, err
	}
	for n := 0; ; n++ {
		if ctx.Err() != nil {
			return n, nil //nolint:nilerr // the time is over
		}
		began := time.Now()
		c.at = (c.at + 1) % len(requests)
		if _, err := c.Write(requests[c.at]); err != nil {
			return n, fmt.Errorf("post: %w", err)
		}
		if err := c.answer(); err != nil {
			return n, err
		}
		if n%16 == 0 {
			c.latencies = append(c.latencies, float64(time.Since(began).Nanoseconds())/1e6)
		}
	}
}

// answer reads one answer and demands 202.
func (c *conn) answer() error {
	length := int64(0)
	for first := true; ; first = false {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read an answer: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 202")):
			return fmt.Errorf("the door answered %q", line)
		case len(line) == 0:
			_, err := io.CopyN(io.Discard, c.r, length)
			return err
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			if length, err = strconv.ParseInt(string(line[len("Content-Length: "):]), 10, 64); err != nil {
				return fmt.Errorf("read an answer: %w", err)
			}
		}
	}
}
