package agreement

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
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
	joined := Joined{Text: whole, Files: j.files, first: j.first}
	if len(whole) == 0 && len(j.faults) > 0 {
		return nil, joined, j.faults, nil // nothing is left to look at
	}
	a, faults := Parse(name, whole)
	faults = joined.Place(faults)
	if len(j.faults) > 0 {
		return nil, joined, j.with(faults), nil
	}
	if a != nil {
		a.joined = joined
	}
	return a, joined, faults, nil
}

// absence begins what is said of an agreement because a part of it was not read.
var absence = regexp.MustCompile(`^(an agreement needs |lead stands alone|no [a-z ]+ is (named|declared)|no (service has|rule is in|promise names) |nobody says |` +
	`there is no stage for |the term .* (is used and not defined|is defined and not used)$)`)

// with are the faults of the includes and those of what was read, without those that another file may mend, in the order of the text.
func (j *joiner) with(read []Fault) []Fault {
	out := slices.Concat(j.faults, slices.DeleteFunc(read, func(f Fault) bool { return absence.MatchString(f.Message) }))
	file := func(f Fault) int { return slices.IndexFunc(j.files, func(o File) bool { return o.Name == f.File }) }
	slices.SortStableFunc(out, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(file(a), file(b)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(out, Fault.same)
}

// Place tells where faults of the joined text stand in the files.
func (j Joined) Place(faults []Fault) []Fault {
	out := slices.Clone(faults)
	if len(j.first) < 2 {
		return out
	}
	for i, f := range out {
		own, line := j.at(f.Line)
		if f.lines != nil {
			f = f.said(func(line int) string {
				file, line := j.at(line)
				if file == own {
					return fmt.Sprintf("line %d", line)
				}
				return fmt.Sprintf("line %d of %s", line, file)
			})
		}
		f.File, f.Line = own, line
		out[i] = f
	}
	return out
}

// at tells the file of a line of the joined text, and the line in it.
func (j Joined) at(line int) (file string, own int) {
	k := 0
	for k+1 < len(j.first) && j.first[k+1] <= line {
		k++
	}
	return j.Files[k].Name, line - j.first[k] + 1
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

// add returns the text of a file and of those that it includes; nothing of one that cannot be a part.
func (j *joiner) add(name string, text []byte) []byte {
	text = Canonical(text)
	j.files, j.first = append(j.files, File{name, text}), append(j.first, j.lines+1)
	fs := &faults{file: name}
	doc, root := readDocument(text, maxKeys, fs)
	include := root.get("include")
	included := len(j.files) > 1
	r := reader{faults: fs, doc: doc}
	switch {
	case included && root == nil: // of the first file the parser says it
		j.faults = append(j.faults, fs.sorted()...)
		return nil
	case (included || include != nil) && !doc.opens(root):
		r.at(root, "a file that is joined with others begins with a key in column 1", "write its sections one below the other, without indentation; what is indented would belong to the file before")
		j.faults = append(j.faults, fs.sorted()...)
		return nil
	}
	if included {
		text = leading(text, root)
	}
	if include == nil {
		out := ended(text)
		j.lines += bytes.Count(out, []byte("\n"))
		return out
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

// opens says whether the root is a mapping whose keys begin lines.
func (d *document) opens(root *node) bool {
	first := d.lines[root.line-1]
	return root.kind == mapping && root.column == 1 && len(first) > 0 && first[0] != '{'
}

// leading takes from the lines before the root what would end the text before it, a mark of a new document, or go on with it: comments
// come to column 1.
func leading(text []byte, root *node) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	for k := range lines[:root.line-1] {
		lines[k] = append(bytes.Clone(bytes.TrimSpace(bytes.TrimPrefix(lines[k], []byte("---")))), '\n')
	}
	return bytes.Join(lines, nil)
}

// cut empties the lines of the include, so that all others keep their numbers. Its comments stay, in column 1: a text above may be open.
func cut(text []byte, root, include *node) []byte {
	i := slices.IndexFunc(root.pairs, func(p pair) bool { return p.value == include })
	from, to := root.pairs[i].key.line, -1
	if i+1 < len(root.pairs) {
		to = root.pairs[i+1].key.line
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	for k := range lines {
		body := bytes.TrimSpace(lines[k])
		switch {
		case k+1 < from, to > 0 && k+1 >= to:
		case k+1 > from && len(body) > 0 && body[0] == '#':
			lines[k] = append(bytes.Clone(body), '\n')
		default:
			lines[k] = []byte("\n")
		}
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
