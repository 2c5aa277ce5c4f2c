package replay

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// rows reads recorded rows one by one: CSV with a header line, or JSONL with flat objects.
type rows interface {
	// next returns the row and its line; io.EOF at the end. Any other error with a line above 0 is about that row alone.
	next() (row map[string]string, line int, err error)
}

func newRows(name string, r io.Reader) (rows, error) {
	if strings.HasSuffix(name, ".jsonl") || strings.HasSuffix(name, ".ndjson") {
		s := bufio.NewScanner(r)
		s.Buffer(make([]byte, 64<<10), 1<<20)
		return &jsonRows{scan: s}, nil
	}
	if !strings.HasSuffix(name, ".csv") {
		return nil, fmt.Errorf("%s is neither .csv nor .jsonl", name)
	}
	c := csv.NewReader(r)
	header, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("read the header line of %s: %w", name, err)
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	return &csvRows{r: c, header: header}, nil
}

type csvRows struct {
	r      *csv.Reader
	header []string
}

func (c *csvRows) next() (map[string]string, int, error) {
	record, err := c.r.Read()
	if err != nil {
		var p *csv.ParseError
		if errors.As(err, &p) {
			return nil, p.StartLine, fmt.Errorf("not a CSV row: %w", p.Err)
		}
		return nil, 0, err
	}
	line, _ := c.r.FieldPos(0)
	row := make(map[string]string, len(record))
	for i, v := range record {
		row[c.header[i]] = v
	}
	return row, line, nil
}

type jsonRows struct {
	scan *bufio.Scanner
	line int
}

func (j *jsonRows) next() (map[string]string, int, error) {
	for j.scan.Scan() {
		j.line++
		text := j.scan.Text()
		if strings.TrimSpace(text) == "" {
			continue
		}
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var o map[string]any
		if err := d.Decode(&o); err != nil {
			return nil, j.line, errors.New("not a JSON object")
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
				return nil, j.line, fmt.Errorf("%q is not flat: name a text, a number or true/false", k)
			}
		}
		return row, j.line, nil
	}
	if err := j.scan.Err(); err != nil {
		return nil, 0, fmt.Errorf("read line %d: %w", j.line+1, err)
	}
	return nil, 0, io.EOF
}
