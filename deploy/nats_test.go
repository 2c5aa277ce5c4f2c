package deploy_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/bus/bustest"
)

// TestNATSConf runs three nodes on nats.conf and lets leadpact itself say whether it would trust them: without
// --durability-unproven it is ready only when each has shown that it fsyncs every write.
func TestNATSConf(t *testing.T) {
	t.Parallel()
	ports := freePorts(t, 9)
	address := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	var routes, clients, monitors []string
	for n := range 3 {
		clients = append(clients, "nats://"+address(3*n))
		monitors = append(monitors, "http://"+address(3*n+1))
		routes = append(routes, "nats://"+address(3*n+2))
	}
	for n := range 3 {
		// Only addresses are replaced; one machine has one loopback.
		node(t, n+1, fmt.Sprintf("listen: %q\nhttp: %q\ncluster { name: leadpact, listen: %q, routes: [%s] }\n",
			address(3*n), address(3*n+1), address(3*n+2), strings.Join(routes, ", ")))
	}
	var b *bus.Bus
	bustest.Eventually(t, "leadpact is ready on three nodes with nats.conf", func() error {
		if b == nil {
			opened, err := bus.Open(t.Context(), bus.Config{URL: strings.Join(clients, ","), MonitorURLs: monitors, Partitions: 2, MaxBytes: 64 << 20})
			if err != nil {
				return err
			}
			b = opened
			t.Cleanup(func() { _ = b.Close(t.Context()) })
		}
		if err := b.Declare(t.Context()); err != nil {
			return err
		}
		return b.Ready(t.Context())
	})
}

// TestNATSConfNamesTheNodesOfCompose: routes lead to the services of compose.yaml.
func TestNATSConfNamesTheNodesOfCompose(t *testing.T) {
	t.Parallel()
	conf := textOf(t, "nats/nats.conf")
	for name := range composeOf(t).Services {
		if strings.HasPrefix(name, "nats-") && !strings.Contains(conf, "nats://"+name+":6222") {
			t.Errorf("nats.conf has no route to %s", name)
		}
	}
}

// node starts a server, as a process of its own, on nats.conf with some values replaced.
func node(t *testing.T, n int, replaced string) {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"nats.conf": textOf(t, "nats/nats.conf"),
		"node.conf": "include ./nats.conf\n" + fmt.Sprintf("log_file: %q\n", filepath.Join(dir, "log")) + replaced,
	} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "LEADPACT_BUSTEST_SERVER="+filepath.Join(dir, "node.conf"),
		fmt.Sprintf("NATS_NAME=nats-%d", n), "NATS_STORE="+filepath.Join(dir, "data"))
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe() // the server ends with it
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
		if t.Failed() {
			if f, err := os.Open(filepath.Join(dir, "log")); err == nil {
				_, _ = io.Copy(t.Output(), f)
				_ = f.Close()
			}
		}
	})
}

func freePorts(t *testing.T, n int) []int {
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
