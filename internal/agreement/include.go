package agreement

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxFiles bounds how many files make an agreement.
const maxFiles = 32

// File is one of the files that an agreement was read from.
type File struct {
	Name string
	Text []byte
}

// Joined is an agreement of one file or several as the one text that is signed: the first file without its include, then the included
// ones in their order.
type Joined struct {
	Text  []byte
	Files []File
	// first is where each file begins in Text, as a line counted from 1.
	first []int
}

// Load reads an agreement and the files that it includes, joins them and parses the whole. read is given the name, then those of the
// included files, relative to the first's folder and with slashes. The error is that of reading the first file; whatever else is wrong
// are faults, in the files where they stand.
func Load(name string, read func(name string) ([]byte, error)) (*Agreement, Joined, []Fault, error) {
	text, err := read(name)
	if err != nil {
		return nil, Joined{}, nil, err
	}
	j := &joiner{read: read, folder: filepath.Dir(name), sum: len(text)}
	whole := j.add(name, text)
	if len(j.faults) > 0 {
		return nil, Joined{Text: whole, Files: j.files, first: j.first}, j.faults, nil
	}
	joined := Joined{Text: whole, Files: j.files, first: j.first}
	a, faults := Parse(name, whole)
	if a != nil {
		a.joined = joined
	}
	return a, joined, joined.Place(faults), nil
}

// Place tells where faults of the joined text stand in the files.
func (j Joined) Place(faults []Fault) []Fault {
	out := slices.Clone(faults)
	for i, f := range out {
		k := 0
		for k+1 < len(j.first) && j.first[k+1] <= f.Line {
			k++
		}
		if len(j.first) > 1 {
			out[i].File, out[i].Line = j.Files[k].Name, f.Line-j.first[k]+1
		}
	}
	return out
}

// joiner gathers the files.
type joiner struct {
	read   func(string) ([]byte, error)
	folder string
	files  []File
	first  []int
	faults []Fault
	open   []string // on the way to the present file
	sum    int      // bytes
	lines  int
}

// add returns the text of a file and of those that it includes.
func (j *joiner) add(name string, text []byte) []byte {
	text = Canonical(text)
	j.files, j.first = append(j.files, File{name, text}), append(j.first, j.lines+1)
	fs := &faults{file: name}
	doc, root := readDocument(text, maxKeys, fs)
	include := root.get("include")
	if include == nil {
		if len(j.files) > 1 && root == nil {
			j.faults = append(j.faults, fs.sorted()...) // of the first file the parser says it
		}
		out := ended(text)
		j.lines += bytes.Count(out, []byte("\n"))
		return out
	}
	r := reader{faults: fs, doc: doc}
	if slices.ContainsFunc(root.pairs, func(p pair) bool { return p.value != include && p.key.line == root.keyOf(include).line }) {
		r.at(include, "include stands on a line of its own", "write the file with one key on each line")
	}
	out := ended(cut(text, root, include))
	j.lines += bytes.Count(out, []byte("\n"))
	j.open = append(j.open, name)
	for _, item := range r.items(include) {
		if other := r.text(item); other != "" {
			out = append(out, j.include(&r, item, other)...)
		}
	}
	j.open = j.open[:len(j.open)-1]
	j.faults = append(j.faults, fs.sorted()...)
	return out
}

func (j *joiner) include(r *reader, at *node, name string) []byte {
	if !filepath.IsLocal(name) || path.Clean(name) != name || strings.Contains(name, `\`) {
		r.at(at, quote(name)+" is not the name of a file beside this one", "write it as sales/clocks.yaml, with slashes; nothing outside the first file's folder is read")
		return nil
	}
	full := filepath.Join(j.folder, filepath.FromSlash(name))
	switch {
	case slices.Contains(j.open, full):
		r.at(at, fmt.Sprintf("the file %s includes itself", quote(name)), "take out one of the includes: "+strings.Join(append(j.open, full), " → "))
		return nil
	case slices.ContainsFunc(j.files, func(f File) bool { return f.Name == full }):
		r.at(at, fmt.Sprintf("the file %s is included already", quote(name)), "keep one")
		return nil
	case len(j.files) >= maxFiles:
		r.at(at, fmt.Sprintf("an agreement has at most %d files", maxFiles), "join some of them")
		return nil
	}
	text, err := j.read(full)
	if err != nil {
		r.at(at, fmt.Sprintf("the file %s cannot be read: %s", quote(name), cause(err)), "its name is relative to the folder of the first file")
		return nil
	}
	if j.sum += len(text); j.sum > MaxBytes {
		r.at(at, fmt.Sprintf("the files have more than %d bytes together", MaxBytes), "is it the right file?")
		return nil
	}
	return j.add(full, text)
}

// keyOf is the key of a value of a mapping.
func (n *node) keyOf(value *node) *node {
	return n.pairs[slices.IndexFunc(n.pairs, func(p pair) bool { return p.value == value })].key
}

// cut empties the lines of the include, so that all others keep their numbers.
func cut(text []byte, root, include *node) []byte {
	i := slices.IndexFunc(root.pairs, func(p pair) bool { return p.value == include })
	from, to := root.pairs[i].key.line, -1
	if i+1 < len(root.pairs) {
		to = root.pairs[i+1].key.line
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	for k := range lines {
		body := bytes.TrimSpace(lines[k])
		if k+1 < from || to > 0 && k+1 >= to || k+1 > from && len(body) > 0 && body[0] == '#' {
			continue
		}
		lines[k] = []byte("\n")
	}
	return bytes.Join(lines, nil)
}

// cause is what went wrong without the name of the file, which is said already.
func cause(err error) string {
	if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return err.Error()
}

func ended(text []byte) []byte {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return append(slices.Clone(text), '\n')
	}
	return slices.Clone(text)
}
