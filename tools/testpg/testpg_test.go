package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		said, version string
		major         int
	}{
		{"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", "15.18", 15},
		{"postgres (PostgreSQL) 18.4\n", "18.4", 18},
		{"postgres (PostgreSQL) 19beta1\n", "19beta1", 19},
		{"postgres (PostgreSQL) 20devel", "20devel", 20},
		{"postgres (PostgreSQL) ", "", 0},
		{"postgres (PostgreSQL) devel", "", 0},
		{"mysqld 8.0", "", 0},
		{"", "", 0},
	} {
		version, major, err := parseVersion(c.said)
		if version != c.version || major != c.major || (err != nil) != (c.major == 0) {
			t.Errorf("parseVersion(%q) = %q, %d, %v; want %q, %d", c.said, version, major, err, c.version, c.major)
		}
	}
}

// installed lays a folder out as Debian does, with a server's program that tells its version.
func installed(t *testing.T, versions ...string) string {
	t.Helper()
	folder := t.TempDir()
	for _, version := range versions {
		bin := filepath.Join(folder, version, "bin")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, program := range []string{"initdb", "postgres"} {
			script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + ".1'\n"
			if err := os.WriteFile(filepath.Join(bin, program), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return folder
}

func TestNewest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		versions []string
		want     string // empty: none
	}{
		{"by number, not by letter", []string{"15", "9", "17"}, "17.1"},
		{"too old", []string{"14"}, ""},
		{"nothing", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			found, err := newest(t.Context(), installed(t, c.versions...), "")
			if found.version != c.want || errors.Is(err, errNone) != (c.want == "") {
				t.Errorf("found %+v, %v; want %q", found, err, c.want)
			}
		})
	}
	clientOnly := installed(t, "16", "17")
	if err := os.Remove(filepath.Join(clientOnly, "17", "bin", "initdb")); err != nil {
		t.Fatal(err)
	}
	if found, err := newest(t.Context(), clientOnly, ""); err != nil || found.version != "16.1" {
		t.Errorf("beside a version with the client alone: found %+v, %v; want 16.1", found, err)
	}
}

func TestFindAsksTheNextSource(t *testing.T) {
	t.Parallel()
	want := binaries{dir: "/somewhere", version: "18"}
	var said []string
	f := &finder{say: func(format string, _ ...any) { said = append(said, format) }, allowed: []source{
		{"absent", func(*finder, context.Context) (binaries, error) { return binaries{}, errNone }},
		{"offline", func(*finder, context.Context) (binaries, error) { return binaries{}, errors.New("no route") }},
		{"there", func(*finder, context.Context) (binaries, error) { return want, nil }},
	}}
	if got, err := f.find(t.Context()); err != nil || got != want {
		t.Fatalf("find = %+v, %v", got, err)
	}
	if len(said) != 2 { // the failure, and what was found; absence is no news
		t.Errorf("said %q", said)
	}
	f.allowed = f.allowed[:2]
	_, err := f.find(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no route") || !strings.Contains(err.Error(), "apt-get install postgresql") {
		t.Errorf("with no source left the error does not say why and what to install: %v", err)
	}
}

// tarball writes a gzipped tar with the files given as name, content, name, content.
func tarball(t *testing.T, files ...string) string {
	t.Helper()
	var buffer bytes.Buffer
	zipped := gzip.NewWriter(&buffer)
	archive := tar.NewWriter(zipped)
	for i := 0; i < len(files); i += 2 {
		header := &tar.Header{Name: files[i], Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(files[i+1]))}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "it.tgz")
	if err := os.WriteFile(name, buffer.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestUntarAndLink(t *testing.T) {
	t.Parallel()
	links, err := json.Marshal([]map[string]string{{"source": "native/lib/libpq.so.5.18", "target": "native/lib/libpq.so.5"}})
	if err != nil {
		t.Fatal(err)
	}
	into := t.TempDir()
	packed := tarball(t, "package/native/bin/initdb", "program", "package/native/lib/libpq.so.5.18", "library",
		"package/native/pg-symlinks.json", string(links))
	if err := errors.Join(untar(packed, into), linkLibraries(into)); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(into, "native/lib/libpq.so.5")); err != nil || string(content) != "library" {
		t.Errorf("through the link: %q, %v", content, err)
	}
	if info, err := os.Stat(filepath.Join(into, "native/bin/initdb")); err != nil || info.Mode().Perm()&0o005 != 0o005 {
		t.Errorf("another user could not run initdb: %v, %v", info, err)
	}
}

func TestUntarStaysInside(t *testing.T) {
	t.Parallel()
	into := filepath.Join(t.TempDir(), "into")
	if err := os.Mkdir(into, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"package/../../outside", "../outside", "outside"} {
		if err := untar(tarball(t, name, "x"), into); err == nil {
			t.Errorf("%q was unpacked", name)
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(into), "outside")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file lies outside: %v", err)
	}
}

func TestVerifyRefusesOtherBytes(t *testing.T) {
	t.Parallel()
	if err := verify(tarball(t, "package/x", "y"), npmIntegrity); err == nil {
		t.Error("bytes of another hash were taken")
	}
}

func TestFillLeavesNothingOfAFailure(t *testing.T) {
	t.Parallel()
	f := &finder{cache: t.TempDir()}
	root := filepath.Join(f.cache, "it")
	look := func(root string) (binaries, error) {
		if _, err := os.Stat(filepath.Join(root, "server")); err != nil {
			return binaries{}, errNone
		}
		return binaries{dir: root}, nil
	}
	half := func(into string) error { return os.WriteFile(filepath.Join(into, "half"), nil, 0o644) }
	whole := func(into string) error { return os.WriteFile(filepath.Join(into, "server"), nil, 0o644) }
	if found, err := f.fill(root, half, look); err == nil {
		t.Fatalf("half an unpacking was taken for a server: %+v", found)
	}
	if left, err := os.ReadDir(f.cache); err != nil || len(left) != 0 {
		t.Fatalf("the cache still holds %v, %v", left, err)
	}
	for range 2 { // the second finds that another was faster
		if found, err := f.fill(root, whole, look); err != nil || found.dir != root {
			t.Fatalf("fill = %+v, %v", found, err)
		}
	}
	if left, err := os.ReadDir(f.cache); err != nil || len(left) != 1 {
		t.Errorf("the cache holds %v, %v; want the one folder", left, err)
	}
}

func TestSweepTakesOnlyWhatNobodyHolds(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	held, err := makeFolder(base)
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(base, "testpg-left")
	if err := errors.Join(os.Mkdir(left, 0o700), os.WriteFile(filepath.Join(left, "lock"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := sweep(base); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a killed maker left is still there: %v", err)
	}
	if _, err := os.Stat(held.path); err != nil {
		t.Errorf("a folder in use was removed: %v", err)
	}
	if err := held.remove(); err != nil {
		t.Error(err)
	}
}

func TestRunCommandGivesTheExitCode(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -KILL $$": 128 + int(syscall.SIGKILL)} {
		if code, err := runCommand(t.Context(), []string{"/bin/sh", "-c", script}, os.Environ()); code != want || err != nil {
			t.Errorf("%q: %d, %v; want %d", script, code, err, want)
		}
	}
	if code, err := runCommand(t.Context(), []string{"/nonexistent"}, nil); code != broken || err == nil {
		t.Errorf("a command that is not there: %d, %v", code, err)
	}
}

// A command's children must not outlive it: they would go on against a server that is gone.
func TestRunCommandStopsTheWholeGroup(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type result struct {
		code int
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// The grandchild holds the pipe open for as long as it lives, and ignores the polite request.
		script := `(trap "" TERM; echo up; while :; do sleep 1; done) > "` + pipe + `" & wait`
		code, err := runCommand(ctx, []string{"/bin/sh", "-c", script}, os.Environ())
		done <- result{code, err}
	}()
	reader, err := os.Open(pipe) // returns when the grandchild has opened its end
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := reader.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case got := <-done:
		if got.code != 128+int(syscall.SIGTERM) || got.err == nil {
			t.Errorf("stopped: %d, %v", got.code, got.err)
		}
	case <-time.After(2 * grace):
		t.Fatal("the command was not stopped")
	}
	// The end of the pipe comes when the last writer is dead, and not before.
	if n, err := reader.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the grandchild still writes: %d, %v", n, err)
	}
}
