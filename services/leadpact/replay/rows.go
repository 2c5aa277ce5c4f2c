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
}

func newRows(name string, r io.Reader) (rows, error) {
	in := bufio.NewReader(r)
	if start, err := in.Peek(len(bom)); err == nil && string(start) == bom {
		_, _ = in.Discard(len(bom)) // what was peeked is there
	}
	switch {
	case strings.HasSuffix(name, ".jsonl"), strings.HasSuffix(name, ".ndjson"):
		s := bufio.NewScanner(in)
		s.Buffer(make([]byte, 64<<10), maxLine)
		return &jsonRows{scan: s}, nil
	case strings.HasSuffix(name, ".csv"):
		return newCSVRows(name, in)
	}
	return nil, fmt.Errorf("%s is neither .csv nor .jsonl", name)
}

type csvRows struct {
	r      *csv.Reader
	header []string
}

func newCSVRows(name string, r io.Reader) (*csvRows, error) {
	c := csv.NewReader(r)
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s is empty: its first line names the columns", name)
	}
	if err != nil {
		return nil, fmt.Errorf("read the header line of %s: %w", name, err)
	}
	for i, column := range header {
		if slices.Contains(header[:i], column) {
			return nil, fmt.Errorf("the header line of %s names the column %q twice", name, column)
		}
	}
	return &csvRows{r: c, header: header}, nil
}

func (c *csvRows) columns() []string { return c.header }

func (c *csvRows) next() (map[string]string, int, error) {
	record, err := c.r.Read()
	var p *csv.ParseError
	switch {
	case errors.As(err, &p) && errors.Is(p.Err, csv.ErrFieldCount):
		return nil, p.StartLine, fmt.Errorf("it has %d columns, the header line has %d", len(record), len(c.header))
	case errors.As(err, &p) && p.Line > p.StartLine:
		return nil, p.StartLine, fmt.Errorf("a quote that opens here goes wrong on line %d; what lies between was not read", p.Line)
	case errors.As(err, &p):
		return nil, p.StartLine, fmt.Errorf("not a CSV row: %w", p.Err)
	case err != nil:
		return nil, 0, err
	}
	line, _ := c.r.FieldPos(0)
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
}

func (*jsonRows) columns() []string { return nil }

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
