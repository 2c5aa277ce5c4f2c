package bustest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/leadpact/leadpact/internal/bus"
)

// serverEnv holds the configuration file of the NATS server that this process is asked to be.
const serverEnv = "LEADPACT_BUSTEST_SERVER"

const (
	clusterSize = 3
	accounts    = 32
	password    = "bustest"
)

func account(n int) string { return fmt.Sprintf("site%d", n) }

// ServeIfAsked turns the test binary into a NATS server when Cluster started it as one, and never returns then. A package that
// uses Cluster calls it first in its TestMain.
func ServeIfAsked() {
	path := os.Getenv(serverEnv)
	if path == "" {
		return
	}
	opts, err := server.ProcessConfigFile(path)
	if err == nil {
		opts.NoSigs = true
		var s *server.Server
		if s, err = server.NewServer(opts); err == nil {
			s.ConfigureLogger()
			s.Start()
			// The parent holds the other end: however it dies, the server does not outlive it.
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}
	}
	_, _ = fmt.Fprintln(os.Stderr, "nats-server:", err)
	os.Exit(1)
}

// Servers is a cluster of three nats-server processes on loopback, each with its data folder, that fsync every write.
type Servers struct {
	nodes []*node
	used  atomic.Int32 // accounts
}

type node struct {
	name    string
	dir     string
	client  int // ports
	monitor int
	cmd     *exec.Cmd
	stdin   io.Closer
}

// Cluster starts the servers and returns when they answer; the test's end kills them.
func Cluster(t testing.TB) *Servers {
	t.Helper()
	ports := freePorts(t, 3*clusterSize)
	var routes []string
	for i := range clusterSize {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[3*i+2]))
	}
	var logins strings.Builder
	for i := range accounts {
		_, _ = fmt.Fprintf(&logins, "%[1]s: { jetstream: enabled, users: [{user: %[1]s, password: %[2]s}] }\n", account(i+1), password)
	}
	c := &Servers{}
	for i := range clusterSize {
		n := &node{name: fmt.Sprintf("n%d", i+1), dir: t.TempDir(), client: ports[3*i], monitor: ports[3*i+1]}
		config := fmt.Sprintf(`
server_name: %s
listen: 127.0.0.1:%d
http: 127.0.0.1:%d
log_file: %q
jetstream { store_dir: %q, max_file_store: 100GB, max_memory_store: 1GB, sync_interval: always }
accounts { %s }
cluster { name: leadpact, listen: 127.0.0.1:%d, routes: [%s] }
`, n.name, n.client, n.monitor, filepath.Join(n.dir, "log"), filepath.Join(n.dir, "data"), logins.String(), ports[3*i+2], strings.Join(routes, ", "))
		if err := os.WriteFile(filepath.Join(n.dir, "conf"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		c.nodes = append(c.nodes, n)
	}
	t.Cleanup(func() {
		for i := range c.nodes {
			c.Kill(t, i)
		}
	})
	for i := range c.nodes {
		c.Start(t, i)
	}
	return c
}

// URL is the servers' addresses as a client takes them.
func (c *Servers) URL() string {
	var out []string
	for _, n := range c.nodes {
		out = append(out, fmt.Sprintf("nats://127.0.0.1:%d", n.client))
	}
	return strings.Join(out, ",")
}

// MonitorURLs are the servers' monitoring addresses.
func (c *Servers) MonitorURLs() []string {
	var out []string
	for _, n := range c.nodes {
		out = append(out, fmt.Sprintf("http://127.0.0.1:%d", n.monitor))
	}
	return out
}

// Start starts server i, which must not run, and waits until it answers.
func (c *Servers) Start(t testing.TB, i int) {
	t.Helper()
	n := c.nodes[i]
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n.cmd = exec.Command(exe)
	n.cmd.Env = append(os.Environ(), serverEnv+"="+filepath.Join(n.dir, "conf"))
	n.cmd.Stderr = os.Stderr
	if n.stdin, err = n.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatalf("start nats-server %s: %v", n.name, err)
	}
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	Eventually(t, "nats-server "+n.name+" answers", func() error {
		res, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/varz", n.monitor))
		if err != nil {
			return err
		}
		return res.Body.Close()
	})
}

// Kill ends server i with SIGKILL; one that is dead stays dead.
func (c *Servers) Kill(t testing.TB, i int) {
	t.Helper()
	n := c.nodes[i]
	if n.cmd == nil {
		return
	}
	if err := n.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("kill nats-server %s: %v", n.name, err)
	}
	_ = n.cmd.Wait() // killed
	_ = n.stdin.Close()
	n.cmd = nil
}

// Freeze stops every server as SIGSTOP does: connections stand and nobody answers. The result thaws them.
func (c *Servers) Freeze(t testing.TB) (thaw func()) {
	t.Helper()
	signal := func(s os.Signal) {
		for _, n := range c.nodes {
			if n.cmd != nil {
				if err := n.cmd.Process.Signal(s); err != nil {
					t.Errorf("signal nats-server %s: %v", n.name, err)
				}
			}
		}
	}
	signal(syscall.SIGSTOP)
	// A process with several threads goes on for a moment after the signal, and may answer.
	Eventually(t, "every nats-server has stopped", func() error {
		for _, n := range c.nodes {
			if n.cmd == nil {
				continue
			}
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.cmd.Process.Pid))
			if err != nil {
				return err
			}
			// PID (NAME) STATE …
			if _, state, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(state, "T") {
				return fmt.Errorf("nats-server %s is in state %.1s", n.name, state)
			}
		}
		return nil
	})
	return func() { signal(syscall.SIGCONT) }
}

// Site is a site on the cluster with an account, so streams, of its own.
func (c *Servers) Site(t testing.TB) *Site {
	t.Helper()
	n := c.used.Add(1)
	if n > accounts {
		t.Fatalf("the cluster has %d accounts for as many sites: raise it", accounts)
	}
	login := bus.Credentials{User: account(int(n)), Password: password}
	s := &Site{
		Config: func() bus.Config {
			return bus.Config{URL: c.URL(), Credentials: login, MonitorURLs: c.MonitorURLs(), Partitions: 2, MaxBytes: 64 << 20}
		},
		Connect: func(t testing.TB) *nats.Conn {
			nc, err := nats.Connect(c.URL(), nats.UserInfo(login.User, login.Password))
			if err != nil {
				t.Fatal(err)
			}
			return nc
		},
		Stop: func(t testing.TB) { t.Cleanup(c.Freeze(t)) },
	}
	s.Restart = func(t testing.TB) {
		leader := c.Leader(t, s)
		c.Kill(t, leader)
		c.Start(t, leader)
	}
	return s
}

// Leader is the number of the server that leads the site's ingest stream.
func (c *Servers) Leader(t testing.TB, s *Site) int {
	t.Helper()
	nc := s.Connect(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	leader := -1
	Eventually(t, "the stream has a leader", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		stream, err := js.Stream(ctx, "LEADPACT_INGEST")
		if err != nil {
			return err
		}
		for i, n := range c.nodes {
			if n.name == stream.CachedInfo().Cluster.Leader {
				leader = i
				return nil
			}
		}
		return errors.New("no leader yet")
	})
	return leader
}

// freePorts asks the kernel for ports on loopback and frees them again.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out
}

// Eventually looks at something outside this process until look returns nil, and fails the test after a minute.
func Eventually(t testing.TB, what string, look func() error) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := look()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited a minute until %s: %v", what, err)
		}
	}
}
