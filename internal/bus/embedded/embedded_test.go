package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/leadpact/leadpact/internal/bus/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func stop(t *testing.T, s *embedded.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// TestListensOnNothing is not parallel: it compares the whole process before and after.
func TestListensOnNothing(t *testing.T) {
	before := listening(t)
	s, err := embedded.Start(embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if after := listening(t); after != before {
		t.Errorf("the process listens on %d sockets, %d before the start", after, before)
	}
	if !s.Durable() {
		t.Error("the server does not fsync each write")
	}
}

// listening counts this process's sockets that listen, of any family.
func listening(t *testing.T) int {
	t.Helper()
	ours := map[string]bool{}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if link, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); err == nil {
			ours[link] = true
		}
	}
	n := 0
	for _, table := range []struct {
		path         string
		state, inode int // columns
		listen       string
	}{
		{"/proc/self/net/tcp", 3, 9, "0A"},
		{"/proc/self/net/tcp6", 3, 9, "0A"},
		{"/proc/self/net/unix", 3, 6, "00010000"}, // flags: accepts connections
	} {
		f, err := os.Open(table.path)
		if errors.Is(err, os.ErrNotExist) {
			continue // no IPv6 here
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			c := strings.Fields(lines.Text())
			if len(c) > table.inode && c[table.state] == table.listen && ours["socket:["+c[table.inode]+"]"] {
				n++
			}
		}
		_ = f.Close()
	}
	return n
}

func TestOneServerPerFolder(t *testing.T) {
	dir := t.TempDir()
	s, err := embedded.Start(embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if other, err := embedded.Start(embedded.Config{Dir: dir}); !errors.Is(err, embedded.ErrLocked) {
		if err == nil {
			stop(t, other)
		}
		t.Errorf("a second server on the folder: %v, want ErrLocked", err)
	}
	stop(t, s)
	s, err = embedded.Start(embedded.Config{Dir: dir})
	if err != nil {
		t.Fatalf("start again after Stop: %v", err)
	}
	stop(t, s)
}

func TestNoFolder(t *testing.T) {
	if _, err := embedded.Start(embedded.Config{}); err == nil {
		t.Error("a server without a folder was started")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Start(embedded.Config{Dir: file}); err == nil {
		t.Error("a server on a plain file was started")
	}
}
