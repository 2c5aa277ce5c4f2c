package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// fill makes root by unpacking into a folder beside it and renaming that when it is whole, so that an interrupted run
// leaves nothing that a later one would take for complete, and two at once do not mix.
func (f *finder) fill(root string, unpack func(into string) error, look func(root string) (binaries, error)) (_ binaries, err error) {
	if err := os.MkdirAll(f.cache, 0o755); err != nil {
		return binaries{}, fmt.Errorf("make the cache folder (name another with -cache): %w", err)
	}
	into, err := os.MkdirTemp(f.cache, "unpacking-")
	if err != nil {
		return binaries{}, fmt.Errorf("make a folder in the cache: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(into))
		}
	}()
	// MkdirTemp's folder is the caller's alone; the server's user must get in.
	if err := os.Chmod(into, 0o755); err != nil {
		return binaries{}, fmt.Errorf("open the cache to the server's user: %w", err)
	}
	if err := unpack(into); err != nil {
		return binaries{}, err
	}
	if _, err := look(into); err != nil {
		return binaries{}, fmt.Errorf("what was fetched is of no use: %w", err)
	}
	if err := os.Rename(into, root); err != nil {
		// Another run was faster, or the folder holds the remains of something else.
		other, otherErr := look(root)
		if otherErr != nil {
			return binaries{}, fmt.Errorf("put %s in its place (remove it and run again): %w", filepath.Base(root), errors.Join(err, otherErr))
		}
		return other, os.RemoveAll(into)
	}
	return look(root)
}
