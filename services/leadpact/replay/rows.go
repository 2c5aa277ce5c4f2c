package replay

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLine bounds a line of JSONL in bytes.
const maxLine = 1 << 20

// bom is the mark that some programs put before UTF-8.
const bom = "\ufeff"

var errNotUTF8 = errors.New("it is not valid UTF-8: save the file as UTF-8")

// rows reads recorded rows one by one: CSV with a header line, or JSONL with flat objects.
type rows interface {
	// columns are those that every row has; nil when each row names its own.
	columns() []string
	// next returns the row and its line; io.EOF at the end. Any other error with a line above 0 is about that row alone.
	next() (row map[string]string, line int, err error)
	// offset is where in the file the row after the last one begins, in bytes.
	offset() int64
}

// newRows reads the rows that begin at from on, an offset that rows told of, or 0. name says in which form they are.
func newRows(name string, f io.ReadSeeker, from int64) (rows, error) {
	switch {
	case strings.HasSuffix(name, ".jsonl"), strings.HasSuffix(name, ".ndjson"):
		return newJSONRows(f, from)
	case strings.HasSuffix(name, ".csv"):
		return newCSVRows(name, f, from)
	}
	return nil, fmt.Errorf("%s is neither .csv nor .jsonl", name)
}

// begin reads f from its beginning, without the mark that may stand there, whose length it returns.
func begin(f io.ReadSeeker) (*bufio.Reader, int64, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, 0, fmt.Errorf("read the events: %w", err)
	}
	in := bufio.NewReader(f)
	if start, err := in.Peek(len(bom)); err == nil && string(start) == bom {
		_, _ = in.Discard(len(bom)) // what was peeked is there
		return in, int64(len(bom)), nil
	}
	return in, 0, nil
}

// skip reads f from an offset on, and returns how many lines end before it.
func skip(f io.ReadSeeker, from int64) (*bufio.Reader, int, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, 0, fmt.Errorf("read the events: %w", err)
	}
	lines := 0
	part := make([]byte, 64<<10)
	for left := from; left > 0; {
		n, err := f.Read(part[:min(left, int64(len(part)))])
		lines += bytes.Count(part[:n], []byte{'\n'})
		if left -= int64(n); err != nil && left > 0 {
			return nil, 0, fmt.Errorf("read the events up to byte %d: %w", from, err)
		}
	}
	_, err := f.Seek(from, io.SeekStart)
	return bufio.NewReader(f), lines, err
}

type csvRows struct {
	r      *csv.Reader
	header []string
	// r began at this byte, after that many lines.
	base  int64
	lines int
}

func newCSVRows(name string, f io.ReadSeeker, from int64) (*csvRows, error) {
	in, base, err := begin(f)
	if err != nil {
		return nil, err
	}
	c := &csvRows{r: csv.NewReader(in), base: base}
	c.header, err = c.r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s is empty: its first line names the columns", name)
	}
	if err != nil {
		return nil, fmt.Errorf("read the header line of %s: %w", name, err)
	}
	for i, column := range c.header {
		if slices.Contains(c.header[:i], column) {
			return nil, fmt.Errorf("the header line of %s names the column %q twice", name, column)
		}
	}
	if from <= c.offset() {
		return c, nil
	}
	if in, c.lines, err = skip(f, from); err != nil {
		return nil, err
	}
	c.r, c.base = csv.NewReader(in), from
	c.r.FieldsPerRecord = len(c.header)
	return c, nil
}

func (c *csvRows) columns() []string { return c.header }

func (c *csvRows) offset() int64 { return c.base + c.r.InputOffset() }

func (c *csvRows) next() (map[string]string, int, error) {
	record, err := c.r.Read()
	var p *csv.ParseError
	switch {
	case errors.As(err, &p) && errors.Is(p.Err, csv.ErrFieldCount):
		return nil, c.lines + p.StartLine, fmt.Errorf("it has %d columns, the header line has %d", len(record), len(c.header))
	case errors.As(err, &p) && p.Line > p.StartLine:
		return nil, c.lines + p.StartLine, fmt.Errorf("a quote that opens here goes wrong on line %d; what lies between was not read", c.lines+p.Line)
	case errors.As(err, &p):
		return nil, c.lines + p.StartLine, fmt.Errorf("not a CSV row: %w", p.Err)
	case err != nil:
		return nil, 0, err
	}
	line, _ := c.r.FieldPos(0)
	line += c.lines
	row := make(map[string]string, len(record))
	for i, v := range record {
		if !utf8.ValidString(v) {
			return nil, line, errNotUTF8
		}
		row[c.header[i]] = v
	}
	return row, line, nil
}

type jsonRows struct {
	scan *bufio.Scanner
	line int
	at   int64
}

func newJSONRows(f io.ReadSeeker, from int64) (*jsonRows, error) {
	in, at, err := begin(f)
	if err != nil {
		return nil, err
	}
	j := &jsonRows{at: at}
	if from > at {
		if in, j.line, err = skip(f, from); err != nil {
			return nil, err
		}
		j.at = from
	}
	j.scan = bufio.NewScanner(in)
	j.scan.Buffer(make([]byte, 64<<10), maxLine)
	j.scan.Split(func(data []byte, end bool) (int, []byte, error) {
		n, line, err := bufio.ScanLines(data, end)
		j.at += int64(n)
		return n, line, err
	})
	return j, nil
}

func (*jsonRows) columns() []string { return nil }

func (j *jsonRows) offset() int64 { return j.at }

func (j *jsonRows) next() (map[string]string, int, error) {
	for j.scan.Scan() {
		j.line++
		if text := bytes.TrimSpace(j.scan.Bytes()); len(text) > 0 {
			row, err := flat(text)
			return row, j.line, err
		}
	}
	switch err := j.scan.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, 0, fmt.Errorf("line %d is longer than %d bytes: is there an object a line?", j.line+1, maxLine)
	case err != nil:
		return nil, 0, err
	}
	return nil, 0, io.EOF
}

// flat reads one object of scalars.
func flat(text []byte) (map[string]string, error) {
	if !utf8.Valid(text) {
		return nil, errNotUTF8
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // a 64-bit id keeps its digits
	var o map[string]any
	if err := d.Decode(&o); err != nil || o == nil {
		return nil, errors.New("not a JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object on its line")
	}
	row := make(map[string]string, len(o))
	for k, v := range o {
		switch v := v.(type) {
		case nil:
			row[k] = ""
		case string:
			row[k] = v
		case json.Number:
			row[k] = v.String()
		case bool:
			row[k] = strconv.FormatBool(v)
		default:
			return nil, fmt.Errorf("%q is not flat: name a text, a number or true/false", k)
		}
	}
	return row, nil
}
