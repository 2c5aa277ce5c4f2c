package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	// memory is a file system without a disk. Each DROP DATABASE waits for a checkpoint of the whole server, which takes
	// a second on a disk and milliseconds here; the server syncs all the same, and data outlives its death.
	memory = "/dev/shm"
	// room is what must be free there: the write-ahead log alone may grow to a GiB.
	room = 4 << 30
)

// folder is a temporary folder that its maker holds a lock on for as long as it lives.
type folder struct {
	path string
	lock *os.File
}

// makeFolder makes one below base or, when base is empty, where there is room in memory, else in the temporary folder.
// It removes those whose makers were killed.
func makeFolder(base string) (_ *folder, err error) {
	if base == "" {
		base = os.TempDir()
		var free syscall.Statfs_t
		if err := syscall.Statfs(memory, &free); err == nil && free.Bavail*uint64(free.Bsize) >= room {
			base = memory
		}
	}
	if err := sweep(base); err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp(base, "testpg-")
	if err != nil {
		return nil, fmt.Errorf("make a data folder: %w", err)
	}
	f := &folder{path: path}
	if f.lock, err = os.Create(filepath.Join(path, "lock")); err == nil {
		err = syscall.Flock(int(f.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data folder: %w", err), f.remove())
	}
	return f, nil
}

func (f *folder) remove() error {
	err := os.RemoveAll(f.path)
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	if err != nil {
		return fmt.Errorf("remove the data folder: %w", err)
	}
	return nil
}

// sweep removes the folders that nobody holds. One without a lock file yet was made this moment and is left alone, and
// so is one that another user made.
func sweep(base string) error {
	locks, err := filepath.Glob(filepath.Join(base, "testpg-*", "lock"))
	if err != nil {
		return fmt.Errorf("look for left data folders: %w", err)
	}
	for _, name := range locks {
		lock, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		left := &folder{path: filepath.Dir(name), lock: lock}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			_ = lock.Close()
			continue
		}
		if err := left.remove(); err != nil {
			return err
		}
	}
	return nil
}
