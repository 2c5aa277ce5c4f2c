package app

import (
	"io"
	"os"
	"path/filepath"

	"github.com/leadpact/leadpact/internal/agreement"
)

// LoadAgreement reads an agreement and what it includes, as agreement.Load does. The first file may be anything; the included ones lie in
// its folder, and a link that leads out of it is not followed: who writes an agreement reads no other file of the machine through it.
func LoadAgreement(name string) (*agreement.Agreement, agreement.Joined, []agreement.Fault, error) {
	folder := filepath.Dir(name)
	return agreement.Load(name, func(file string) ([]byte, error) {
		if file == name {
			return ReadFile(name)
		}
		inside, err := filepath.Rel(folder, file)
		if err != nil {
			return nil, err
		}
		return bounded(os.OpenInRoot(folder, inside))
	})
}

// ReadFile reads as much of an agreement or a roster as is needed to know that it is too large.
func ReadFile(name string) ([]byte, error) { return bounded(os.Open(name)) }

func bounded(f *os.File, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	return io.ReadAll(io.LimitReader(f, agreement.MaxBytes+1))
}
