package agreement

// trace says where each character of a scalar stands in the file, and at its end where the next would: YAML folds lines,
// doubles quotes and escapes, so that characters of the value and of the file do not run side by side. What it cannot follow
// it places at the start of the scalar.
func (d *document) trace(n *node) []place {
	value := []rune(n.text)
	out := make([]place, 0, len(value)+1)
	c := cursor{lines: d.lines, place: n.place}
	switch n.style {
	case single, double:
		c.column++
	case block:
		c.place = place{n.line + 1, 1}
		c.skipBlank()
	case plain:
	}
	for _, r := range value {
		if n.style == double {
			c.joinLines()
		}
		out = append(out, c.place)
		at, ok := c.rune()
		switch {
		case n.style == double && at == '\\':
			c.column += c.escape()
		case isSpace(r):
			c.space()
		case !ok || at != r:
			for len(out) <= len(value) {
				out = append(out, n.place)
			}
			return out
		case n.style == single && r == '\'':
			c.column += 2
		default:
			c.column++
		}
	}
	return append(out, c.place)
}

// cursor walks the text of the file.
type cursor struct {
	lines [][]rune
	place
}

func isSpace(r rune) bool { return r == ' ' || r == '\n' || r == '\t' }

// rune is the character under the cursor; false at the end of a line.
func (c *cursor) rune() (rune, bool) {
	if c.line > len(c.lines) || c.column > len(c.lines[c.line-1]) {
		return 0, false
	}
	return c.lines[c.line-1][c.column-1], true
}

// space passes one white character of the value: a character of the line, or the line's end with all that is folded into it.
func (c *cursor) space() {
	if c.restBlank() {
		c.nextLine()
		c.skipBlank()
		return
	}
	if r, ok := c.rune(); ok && isSpace(r) {
		c.column++
	}
}

// joinLines passes a backslash at the end of a line, which a double-quoted text joins with the next without a trace.
func (c *cursor) joinLines() {
	for {
		r, ok := c.rune()
		if !ok || r != '\\' || c.column != len(c.lines[c.line-1]) {
			return
		}
		c.nextLine()
		c.skipBlank()
	}
}

// escape is the length of the escape sequence under the cursor.
func (c *cursor) escape() int {
	line := c.lines[c.line-1]
	if c.column < len(line) {
		switch line[c.column] {
		case 'x':
			return 4
		case 'u':
			return 6
		case 'U':
			return 10
		}
	}
	return 2
}

func (c *cursor) restBlank() bool {
	if c.line > len(c.lines) {
		return false
	}
	for _, r := range c.lines[c.line-1][min(c.column-1, len(c.lines[c.line-1])):] {
		if !isSpace(r) {
			return false
		}
	}
	return true
}

func (c *cursor) nextLine() { c.place = place{c.line + 1, 1} }

// skipBlank moves to the next character that can be seen; at the end of the text it stays on the last line.
func (c *cursor) skipBlank() {
	start := c.place
	for c.line <= len(c.lines) {
		if c.restBlank() {
			c.nextLine()
			continue
		}
		for r, ok := c.rune(); ok && isSpace(r); r, ok = c.rune() {
			c.column++
		}
		return
	}
	c.place = place{max(start.line-1, 1), 1}
	c.column = len(c.lines[c.line-1]) + 1
}
