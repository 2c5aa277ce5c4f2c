package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/leadpact/leadpact/internal/identity"
)

const (
	// stateForm is the form of the state file that this program writes.
	stateForm = 1
	// head and tail are how many bytes of the file's beginning, and of what lies before the place where a replay stopped, tell
	// whether it is the same file.
	head = 64 << 10
	tail = 4 << 10
)

// state is where a replay stands: everything before Offset is done and counted.
type state struct {
	Form int `json:"form"`
	// Source that the rows are sent as.
	Source string `json:"source"`
	// Mapping is the hash of the mapping's text, and Mark that of parts of the events before Offset.
	Mapping string `json:"mapping"`
	Mark    string `json:"mark"`
	Offset  int64  `json:"offset"`
	// Written is how many bytes of the file of refused rows belong to what is done.
	Written int64  `json:"written"`
	Report  Report `json:"report"`
}

// begun is the state of a replay at its beginning.
func begun(source, mapping string) state {
	return state{Form: stateForm, Source: source, Mapping: mapping, Report: newReport()}
}

// resume takes up the state of an interrupted replay; s stays as it is when there is none. It refuses one that is of another source,
// of another mapping or of other events: what was done would be passed over wrongly.
func (s *state) resume(path string, events *os.File) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read where the replay was interrupted: %w", err)
	}
	was := state{Report: newReport()}
	if err := json.Unmarshal(text, &was); err != nil || was.Form != stateForm {
		return fmt.Errorf("%s is no state of a replay that this program can go on from; --restart begins anew", path)
	}
	const anew = "; --restart begins anew, and events that keep their ids count once"
	switch {
	case was.Source != s.Source:
		return fmt.Errorf("the interrupted replay in %s was to the source %s, not to %s%s", path, was.Source, s.Source, anew)
	case was.Mapping != s.Mapping:
		return fmt.Errorf("the mapping has changed since the replay in %s was interrupted%s", path, anew)
	}
	now, err := mark(events, was.Offset)
	if err != nil {
		return fmt.Errorf("read the events: %w", err)
	}
	if now != was.Mark {
		return fmt.Errorf("%s has changed since the replay in %s was interrupted%s", events.Name(), path, anew)
	}
	*s = was
	s.Report.Resumed = s.Report.Rows
	return nil
}

// save writes the state in one step: whoever reads it finds this one or the one before.
func (s *state) save(path string, f *os.File) error {
	var err error
	if s.Mark, err = mark(f, s.Offset); err != nil {
		return fmt.Errorf("read the events: %w", err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := identity.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("keep where the replay is (--state names another file): %w", err)
	}
	return nil
}

// mark is the hash of the beginning of f, and of what lies right before the offset; of a shorter file it is another.
func mark(f io.ReaderAt, offset int64) (string, error) {
	h := sha256.New()
	first := min(offset, head)
	last := max(first, offset-tail)
	for _, part := range []*io.SectionReader{io.NewSectionReader(f, 0, first), io.NewSectionReader(f, last, offset-last)} {
		if _, err := io.Copy(h, part); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
