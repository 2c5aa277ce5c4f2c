package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/preset"
)

// outpost is a door behind a real listener, bounded as the program bounds it, but for shorter times.
type outpost struct {
	*world

	address string
	said    *journal // what net/http logs
}

func newOutpost(t *testing.T, w *world) *outpost {
	t.Helper()
	said := &journal{}
	server := &http.Server{
		Handler: w.handler, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(said, nil), slog.LevelError),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 8 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: time.Minute,
	}
	var open sync.WaitGroup // net/http does not wait for the connections that it closes
	server.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Done()
		case http.StateActive, http.StateIdle, http.StateHijacked:
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		open.Wait()
	})
	return &outpost{world: w, address: l.Addr().String(), said: said}
}

// dial connects. Whatever is answered is answered within a minute.
func (o *outpost) dial() (net.Conn, error) {
	c, err := net.Dial("tcp", o.address)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(time.Minute))
}

// heard is an answer.
type heard struct {
	code   int
	header http.Header
	body   []byte
}

// answers sends bytes as they are, says that no more come unless it holds on, and returns what is answered until the door hangs up.
func (o *outpost) answers(raw []byte, hold bool) ([]heard, error) {
	c, err := o.dial()
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	go func() {
		_, _ = c.Write(raw) // the door may have heard enough
		if !hold {
			_ = c.(*net.TCPConn).CloseWrite()
		}
	}()
	var out []heard
	asked := &http.Request{Method: http.MethodPost}
	if bytes.HasPrefix(raw, []byte(http.MethodHead)) {
		asked.Method = http.MethodHead // its answer has no body
	}
	for in := bufio.NewReader(c); ; {
		resp, err := http.ReadResponse(in, asked)
		if err != nil {
			return out, nil // the door hung up
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if errors.Is(err, syscall.ECONNRESET) {
			return out, nil // it hung up on what it had not read, and the answer was lost with it
		}
		if err != nil {
			return out, fmt.Errorf("an answer breaks off: %w", err)
		}
		if resp.StatusCode >= 200 {
			out = append(out, heard{resp.StatusCode, resp.Header, body})
		}
	}
}

// raw writes a request as bytes; headers are lines.
func raw(method, target, body string, headers ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: door.example\r\n", method, target)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.Bytes()
}

// attack is one thing that somebody may send.
type attack struct {
	name string
	raw  []byte
	// hold keeps the connection open behind it, so that the door must find the end by itself.
	hold bool
}

const (
	posted = "Content-Type: application/json"
	proven = "Authorization: Bearer form-token"
)

// attacks are n of every kind, drawn with r.
func attacks(r *rand.Rand, n int) []attack {
	var out []attack
	add := func(name string, raw []byte) { out = append(out, attack{name: name, raw: raw}) }
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	noise := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.UintN(256))
		}
		return string(b)
	}
	const hooks = "/v1/hooks/"
	good := func() []byte { return raw("POST", hooks+"form", person("1"), posted, proven) }
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 8<<20))
	_ = z.Close()
	for range n {
		add("garbage", []byte(noise(r.IntN(3000))))
		add("garbage in lines", []byte(strings.ReplaceAll(noise(500), "a", "\r\n")+"\r\n\r\n"))
		whole := good()
		add("cut off", whole[:r.IntN(len(whole))])
		flipped := good()
		flipped[r.IntN(len(flipped))] ^= 1 << r.UintN(8)
		add("a bit flipped", flipped)
		add("header flood", raw("POST", hooks+"form", "{}", slices.Repeat([]string{"X-" + strconv.Itoa(r.IntN(9)) + ": " + strings.Repeat("x", 100)}, 400)...))
		add("a long header", raw("POST", hooks+"form", "{}", posted, "Authorization: Bearer "+strings.Repeat("x", 100<<10)))
		add("a long address", raw("POST", hooks+strings.Repeat("x", 100<<10), "{}", posted))
		add("an odd address", raw("POST", pick("*", "//", hooks+"%00", hooks+"form%2f..", hooks+"../form", hooks+"form?"+strings.Repeat("&;=%", 50), "http://"+canary+hooks+"form", hooks+"%zz", hooks+"%f0%9f%98%80"), "{}", posted, proven))
		add("an odd method", raw(pick("GET", "PUT", "DELETE", "TRACE", "CONNECT", "OPTIONS", "HEAD", "PATCH", "QUERY", "GE T", "post", strings.Repeat("M", 300)), hooks+pick("form", "signed", canary), ""))
		add("two lengths", raw("POST", hooks+"form", "{}", posted, proven, "Content-Length: 7"))
		add("a length that is none", []byte("POST "+hooks+"form HTTP/1.1\r\nHost: x\r\nContent-Length: "+pick("-1", "1e3", "99999999999999999999", "+2", " ")+"\r\n\r\n{}"))
		add("length and chunks", raw("POST", hooks+"form", "0\r\n\r\n", posted, proven, "Transfer-Encoding: chunked"))
		add("bad chunks", []byte("POST "+hooks+"form HTTP/1.1\r\nHost: x\r\n"+posted+"\r\n"+proven+"\r\nTransfer-Encoding: chunked\r\n\r\n"+pick("zz\r\n", "-1\r\n", "5\r\nab", "FFFFFFFFFFFFFFFF\r\n", "1\n"+noise(20))))
		add("chunks without end", []byte("POST "+hooks+"form HTTP/1.1\r\nHost: x\r\n"+posted+"\r\n"+proven+"\r\nTransfer-Encoding: chunked\r\n\r\n"+strings.Repeat("1000\r\n"+strings.Repeat(" ", 0x1000)+"\r\n", 100)))
		add("two hosts", raw("POST", hooks+"form", person("1"), posted, proven, "Host: "+canary))
		add("two types", raw("POST", hooks+"form", person("1"), posted, "Content-Type: text/xml", proven))
		add("two proofs", raw("POST", hooks+"form", person("1"), posted, "Authorization: Bearer "+canary, proven))
		add("an odd type", raw("POST", hooks+pick("form", "standard", "page", "events", "soap"), person("1"), "Content-Type: "+pick("", "a", "/", "*/*", "application/json; charset=utf-16", "application/json;;;=", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded; charset=latin1", noise(10)), proven, "Authorization: Bearer page-token"))
		add("a gzip bomb", raw("POST", hooks+"form", bomb.String(), posted, proven, "Content-Encoding: "+pick("gzip", "deflate", "br", "zstd", "gzip, gzip")))
		add("a gzip bomb, chunked", []byte("POST "+hooks+"form HTTP/1.1\r\nHost: x\r\n"+posted+"\r\n"+proven+"\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"))
		add("a huge body", raw("POST", hooks+"form", `{"external_id":"`+strings.Repeat("x", 300<<10)+`"}`, posted, proven))
		add("deep JSON", raw("POST", hooks+"form", strings.Repeat(pick("[", `{"a":`), 40_000), posted, proven))
		add("wide JSON", raw("POST", hooks+"form", "["+strings.Repeat("{},", 60_000)+"{}]", posted, proven))
		add("many keys", raw("POST", hooks+"form", manyKeys(20_000), posted, proven))
		add("a huge number", raw("POST", hooks+"form", `{"external_id":1`+strings.Repeat("0", 200_000)+`,"employees":1e`+strings.Repeat("9", 1000)+`}`, posted, proven))
		add("deep XML", raw("POST", hooks+"soap", strings.Repeat("<a>", 60_000), "Content-Type: text/xml", proven))
		add("wide XML", raw("POST", hooks+"soap", "<a>"+strings.Repeat("<b/>", 50_000)+"</a>", "Content-Type: text/xml", proven))
		add("an XML bomb", raw("POST", hooks+"soap", `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;</l>`, "Content-Type: text/xml", proven))
		add("foreign XML", raw("POST", hooks+"soap", `<?xml version="1.0" encoding="`+pick("UTF-16", "latin1", "IBM037", noise(4))+`"?><a>`+noise(50)+`</a>`, "Content-Type: text/xml", proven))
		add("a deep form", raw("POST", hooks+"page", "a"+strings.Repeat("[b]", 50_000)+"=1", "Content-Type: application/x-www-form-urlencoded", "Authorization: Bearer page-token"))
		add("a wide form", raw("POST", hooks+"page", strings.Repeat("a=1&", 60_000), "Content-Type: application/x-www-form-urlencoded", "Authorization: Bearer page-token"))
		add("parts", raw("POST", hooks+"page", strings.Repeat("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n", r.IntN(4000)), "Content-Type: multipart/form-data; boundary=x", "Authorization: Bearer page-token"))
		add("an event in headers", raw("POST", hooks+"events", noise(40), "Content-Type: "+pick("application/json", "text/xml", "image/png"), proven, "Ce-Id: %", "Ce-Source: \"", "ce-type: "+strings.Repeat("%20", r.IntN(1000)), "CE-SPECVERSION: 1.0"))
		add("a batch of events", raw("POST", hooks+"events", "["+strings.Repeat(`{"specversion":"1.0"},`, r.IntN(1200))+"7]", "Content-Type: application/cloudevents-batch+json", proven))
		add("a challenge", raw(pick("GET", "OPTIONS"), hooks+pick("meta", "linked", "events")+"?hub.mode=subscribe&hub.challenge="+pick("1", "%0d%0aX:1", canary)+"&hub.verify_token="+canary+"&challengeCode="+pick("a", "hmacsha256%3D", strings.Repeat("a", 9000)), "", "WebHook-Request-Origin: "+pick("a.example", "*", noise(3))))
		add("expecting", raw("POST", hooks+"form", person("1"), posted, proven, "Expect: "+pick("100-continue", "200-ok")))
		add("another protocol", []byte(pick("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "POST / HTTP/3.7\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00", "GET "+hooks+"form\r\n\r\n", "POST "+hooks+"form HTTP/1.0\r\n\r\n", "SSH-2.0-x\r\n")))
		add("an odd header", raw("POST", hooks+"form", "{}", posted, proven, pick("a b: c", ": x", "x\x00: y", "X: \x00", "X: a\r b", " folded: x", "Connection: "+noise(9), "Upgrade: websocket\r\nConnection: Upgrade", "Trailer: Authorization", "Content-Type : text/xml")))
		add("one behind another", bytes.Repeat(good(), 1+r.IntN(20)))
		add("one smuggled behind another", append(raw("POST", hooks+"form", "{}", posted, proven, "Transfer-Encoding: chunked"), good()...))
	}
	for range max(1, n/10) { // they take their time
		slow := good()
		out = append(out,
			attack{"a slow body", slow[:len(slow)-1-r.IntN(10)], true},
			attack{"a slow header", slow[:20+r.IntN(40)], true},
			attack{"a huge promise", []byte("POST " + hooks + "form HTTP/1.1\r\nHost: x\r\n" + posted + "\r\n" + proven + "\r\nContent-Length: 9223372036854775807\r\n\r\n{"), true},
		)
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func manyKeys(n int) string {
	var b strings.Builder
	b.WriteString(`{"external_id":"1"`)
	for i := range n {
		fmt.Fprintf(&b, `,"%x":0`, i)
	}
	b.WriteString("}")
	return b.String()
}

// besieged has a source for each way in which a body may be written, and for each challenge.
func besieged(t *testing.T) *agreement.Agreement {
	t.Helper()
	sources := `
  page: {format: form, verify: {bearer: env:PAGE}}
  events: {format: cloudevents, verify: {bearer: env:FORM}}
  soap: {format: json, verify: {bearer: env:FORM}}
  meta: {format: json, verify: {hmac: env:SIGNED}}
  linked: {format: json, verify: {hmac: env:SIGNED}}
`
	a := parsed(t, strings.Replace(contract, "\ncalendars:", sources+"calendars:", 1))
	for i := range a.Sources {
		switch s := &a.Sources[i]; s.Name {
		case "soap":
			s.Tool.Formats = []preset.Format{preset.XML}
		case "meta":
			s.Tool.Challenge = "meta"
		case "linked":
			s.Tool.Challenge = "linkedin"
		}
	}
	return a
}

// Whatever comes in, each request is answered for what it is or hung up on, nothing is left behind, and a source that behaves is served
// meanwhile: besides, thousands are connected and say nothing.
func TestSiege(t *testing.T) {
	t.Parallel()
	const seed1, seed2, each, quiet, crowd = 5, 17, 25, 100, 2000
	logged := &faulty{partitions: 2, publish: func(context.Context, int) error { time.Sleep(time.Millisecond); return nil }}
	w := newWorld(t, logged, func(c *Config) { c.Patience = 10 * time.Second }).opened() // of a busy machine too
	w.vault.set("env:PAGE", "page-token")
	w.agreements.Store(besieged(t))
	o := newOutpost(t, w)
	list := attacks(rand.New(rand.NewPCG(seed1, seed2)), each)

	// Once before, so that what stays for good is there.
	o.besiege(list[:len(list)/10])
	logged.forget()
	before := heap()
	var idle []net.Conn
	for i := range crowd {
		c, err := o.dial()
		if err != nil {
			t.Fatalf("%d are connected, and another cannot be (it needs %d open files): %v", i, 2*crowd, err)
		}
		if i%3 == 0 {
			_, _ = c.Write([]byte("POST /v1/hooks/form HTTP/1.1\r\n"))
		}
		idle = append(idle, c)
	}
	served := make(chan int, 1)
	go func() {
		n := 0
		for i := range quiet {
			got, err := o.answers(raw("POST", "/v1/hooks/crm", ofCRM(strconv.Itoa(i)), posted, "Authorization: Bearer crm-token", "Connection: close"), true)
			switch {
			case err != nil || len(got) != 1:
				t.Errorf("request %d of the quiet source has %d answers, %v", i, len(got), err)
			case got[0].code != http.StatusAccepted:
				t.Errorf("request %d of the quiet source is answered %d: %s", i, got[0].code, got[0].body)
			default:
				n++
			}
		}
		served <- n
	}()
	codes := o.besiege(list)
	if n := <-served; n != quiet {
		t.Errorf("%d of %d requests of the quiet source were served", n, quiet)
	}
	for _, c := range idle {
		_ = c.Close()
	}
	t.Logf("%d attacks, seed %d,%d: answers by code %v", len(list), seed1, seed2, codes)
	if s := o.said.String(); strings.Contains(s, "panic") {
		t.Errorf("a handler panicked:\n%s", s)
	}
	logged.forget()
	o.settled(before)
	if text := scrape(t, w); strings.Contains(text, canary) || strings.Contains(text, "QUERY") {
		t.Errorf("metrics hold what a stranger sent:\n%s", text)
	}
	o.labels(codes)
}

// besiege sends all, many at a time, and counts the answers by code.
func (o *outpost) besiege(list []attack) map[int]int {
	codes := map[int]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan attack)
	for range 64 {
		wg.Go(func() {
			for a := range next {
				got, err := o.answers(a.raw, a.hold)
				if err != nil {
					o.t.Errorf("%s: %v", a.name, err)
				}
				for _, h := range got {
					o.fitting(a.name, h)
					mu.Lock()
					codes[h.code]++
					mu.Unlock()
				}
			}
		})
	}
	for _, a := range list {
		next <- a
	}
	close(next)
	wg.Wait()
	return codes
}

// fitting checks an answer: the door's own are as its documentation says, and net/http's are of those that tell the sender what he did.
func (o *outpost) fitting(name string, h heard) {
	o.t.Helper()
	if bytes.Contains(h.body, []byte(canary)) && h.code != http.StatusOK {
		o.t.Errorf("%s: the answer repeats what was sent: %s", name, h.body)
	}
	switch kind := h.header.Get("Content-Type"); {
	case kind == "application/problem+json":
		var p Problem
		err := json.Unmarshal(h.body, &p)
		if bodiless := len(h.body) == 0; !bodiless && (err != nil || p.Status != h.code || !strings.HasPrefix(p.Type, "/problems/")) { // HEAD's is
			o.t.Errorf("%s: %d with %s", name, h.code, h.body)
		}
		again := h.code == http.StatusServiceUnavailable || h.code == http.StatusTooManyRequests
		if again != (h.header.Get("Retry-After") != "") || (h.code >= http.StatusInternalServerError && !again) {
			o.t.Errorf("%s: %d with Retry-After %q: %s", name, h.code, h.header.Get("Retry-After"), h.body)
		}
	case h.code == http.StatusOK || h.code == http.StatusAccepted:
	case slices.Contains([]int{400, 417, 431, 501, 505}, h.code): // before the door: what is no HTTP, or one that is not spoken here
	default:
		o.t.Errorf("%s: %d as %q: %s", name, h.code, kind, h.body)
	}
}

// heap is what is held after everything that can be collected was.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what sync.Pool kept too
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// settled waits until nothing is left of the siege.
func (o *outpost) settled(before int64) {
	o.t.Helper()
	s := o.service
	eventually(o.t, "bodies give their room back", func() bool {
		s.doors.mu.Lock()
		defer s.doors.mu.Unlock()
		for _, b := range s.doors.bounds {
			if b.share.held.Load() != 0 {
				return false
			}
			for _, l := range b.share.lanes {
				if len(l.places) != 0 {
					return false
				}
			}
		}
		return s.bodies.held.Load() == 0
	})
	const most = 8 << 20 // what other tests hold beside
	eventually(o.t, "the heap is as it was", func() bool { return heap()-before < most })
}

// labels checks that metrics know no more series than sources, codes and results.
func (o *outpost) labels(codes map[int]int) {
	o.t.Helper()
	families, err := o.registry.Gather()
	if err != nil {
		o.t.Fatal(err)
	}
	sources := map[string]bool{"unknown": true}
	for _, s := range o.agreements.Load().Sources {
		sources[s.Name] = true
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				code, err := strconv.Atoi(l.GetValue())
				switch l.GetName() {
				case "source":
					if !sources[l.GetValue()] {
						o.t.Errorf("%s has the source %q", f.GetName(), l.GetValue())
					}
				case "code":
					if err != nil || (codes[code] == 0 && code != http.StatusAccepted) {
						o.t.Errorf("%s has the code %q", f.GetName(), l.GetValue())
					}
				case "result":
					if !slices.Contains([]string{"accepted", "refused", "skipped", "unavailable"}, l.GetValue()) {
						o.t.Errorf("%s has the result %q", f.GetName(), l.GetValue())
					}
				default:
					o.t.Errorf("%s has the label %s", f.GetName(), l.GetName())
				}
			}
		}
	}
}
