package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// fromDebian fetches Debian's postgresql with what it needs that this machine lacks, and unpacks it in the cache. It is
// not installed, so no cluster is made, no service is started and the machine stays as it was.
func (f *finder) fromDebian(ctx context.Context) (binaries, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return binaries{}, fmt.Errorf("%w: no apt-get here", errNone)
	}
	release, err := releaseName()
	if err != nil {
		return binaries{}, err
	}
	root := filepath.Join(f.cache, "postgresql-"+release)
	look := func(root string) (binaries, error) { return unpacked(ctx, root) }
	if found, err := look(root); !errors.Is(err, errNone) {
		return found, err
	}
	if os.Geteuid() != 0 {
		return binaries{}, fmt.Errorf("%w: apt-get needs root", errNone)
	}
	return f.fill(root, func(into string) error { return f.unpackDebian(ctx, into) }, look)
}

// unpacked finds the binaries, and the libraries that came with them, in a root that unpackDebian has filled.
func unpacked(ctx context.Context, root string) (binaries, error) {
	var libraries []string
	for _, pattern := range []string{"usr/lib/*-linux-gnu", "lib/*-linux-gnu"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return binaries{}, fmt.Errorf("look for libraries: %w", err)
		}
		libraries = append(libraries, found...)
	}
	return newest(ctx, filepath.Join(root, "usr/lib/postgresql"), strings.Join(libraries, ":"))
}

func (f *finder) unpackDebian(ctx context.Context, into string) error {
	archives := filepath.Join(into, "archives")
	if err := os.MkdirAll(filepath.Join(archives, "partial"), 0o755); err != nil {
		return fmt.Errorf("make a folder for packages: %w", err)
	}
	download := func() error {
		f.say("downloading Debian's postgresql (nothing is installed)")
		return quietly(ctx, "apt-get", "install", "--download-only", "--no-install-recommends", "--yes",
			"-o", "Dir::Cache::archives="+archives, "-o", "APT::Sandbox::User=root", "postgresql")
	}
	if err := download(); err != nil {
		// On a fresh machine the lists are empty, on an old one they name versions that are gone.
		f.say("updating the package lists")
		if err := quietly(ctx, "apt-get", "update"); err != nil {
			return err
		}
		if err := download(); err != nil {
			return err
		}
	}
	packages, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil || len(packages) == 0 {
		return fmt.Errorf("apt-get downloaded no package to %s: %w", archives, errors.Join(err, errNone))
	}
	f.say("unpacking %d packages", len(packages))
	for _, name := range packages {
		if err := quietly(ctx, "dpkg-deb", "--extract", name, into); err != nil {
			return err
		}
	}
	return os.RemoveAll(archives)
}

// quietly runs a command and shows what it said only when it fails.
func quietly(ctx context.Context, name string, arguments ...string) error {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(arguments, " "), err, output)
	}
	return nil
}

// releaseName tells releases of the system apart, whose libraries differ: "debian-12".
func releaseName() (string, error) {
	file, err := os.Open("/etc/os-release")
	if err != nil {
		return "", fmt.Errorf("read the system's release: %w", err)
	}
	defer file.Close()
	var id, version string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), "=")
		switch value = strings.Trim(value, `"`); key {
		case "ID":
			id = value
		case "VERSION_ID":
			version = value
		}
	}
	return strings.Trim(filepath.Base(id+"-"+version), "-"), nil
}
