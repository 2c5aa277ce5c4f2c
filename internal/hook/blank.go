package hook

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Blank returns a copy of body in which a '*' stands for each byte that writes secret: as it is, and as JSON, forms, XML and
// quoted-printable text may write it, and JSON within JSON or a form. found is false when it stands nowhere.
func Blank(body []byte, secret string) (blank []byte, found bool) {
	blank = bytes.Clone(body)
	if secret == "" {
		return blank, false
	}
	for _, readings := range [][]reading{{}, {jsonText}, {formText}, {xmlText}, {printable}, {jsonText, jsonText}, {formText, jsonText}} {
		text, from := body, []int(nil) // from[i] is where the i-th byte of text begins in body; nil is i itself
		for _, read := range readings {
			text, from = read.all(text, from)
		}
		for at := 0; ; {
			i := bytes.Index(text[at:], []byte(secret))
			if i < 0 {
				break
			}
			begin, end := at+i, at+i+len(secret)
			at, found = end, true
			if from != nil {
				begin, end = from[begin], from[end]
			}
			for j := begin; j < end; j++ {
				blank[j] = '*'
			}
		}
	}
	return blank, found
}

// reading takes the first thing off a text: what it means, and how many bytes write it.
type reading func(text []byte) (means []byte, bytes int)

// all reads a whole text. from are the places of its bytes in the body, nil when it is the body; the result's has one more, for its end.
func (read reading) all(text []byte, from []int) ([]byte, []int) {
	place := func(i int) int {
		if from == nil {
			return i
		}
		return from[i]
	}
	out, places := make([]byte, 0, len(text)), make([]int, 0, len(text)+1)
	for i := 0; i < len(text); {
		means, n := read(text[i:])
		for range means {
			places = append(places, place(i))
		}
		out = append(out, means...)
		i += n
	}
	return out, append(places, place(len(text)))
}

// jsonText reads as within a JSON string.
func jsonText(text []byte) ([]byte, int) {
	if text[0] != '\\' || len(text) < 2 {
		return text[:1], 1
	}
	if i := strings.IndexByte(`"\/bfnrt`, text[1]); i >= 0 {
		return []byte{"\"\\/\b\f\n\r\t"[i]}, 2
	}
	r, ok := escaped(text)
	if !ok {
		return text[:1], 1
	}
	if low, ok := escaped(text[min(6, len(text)):]); ok && utf16.IsSurrogate(r) {
		if whole := utf16.DecodeRune(r, low); whole != utf8.RuneError {
			return utf8.AppendRune(nil, whole), 12
		}
	}
	return utf8.AppendRune(nil, r), 6
}

// escaped reads \uXXXX.
func escaped(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}

// formText reads as within application/x-www-form-urlencoded.
func formText(text []byte) ([]byte, int) {
	switch text[0] {
	case '+':
		return []byte{' '}, 1
	case '%':
		return hexadecimal(text)
	}
	return text[:1], 1
}

// printable reads as quoted-printable, which a part of a multipart form may be.
func printable(text []byte) ([]byte, int) {
	for _, soft := range []string{"=\r\n", "=\n"} {
		if bytes.HasPrefix(text, []byte(soft)) {
			return nil, len(soft)
		}
	}
	if text[0] == '=' {
		return hexadecimal(text)
	}
	return text[:1], 1
}

// hexadecimal reads the byte that two digits behind a mark write.
func hexadecimal(text []byte) ([]byte, int) {
	if len(text) >= 3 {
		if n, err := strconv.ParseUint(string(text[1:3]), 16, 8); err == nil {
			return []byte{byte(n)}, 3
		}
	}
	return text[:1], 1
}

// xmlText reads as within XML.
func xmlText(text []byte) ([]byte, int) {
	const longest = 12 // of what a reference writes
	end := bytes.IndexByte(text[:min(len(text), longest)], ';')
	if text[0] != '&' || end < 2 {
		return text[:1], 1
	}
	name := string(text[1:end])
	if i := slices.Index([]string{"amp", "lt", "gt", "quot", "apos"}, name); i >= 0 {
		return []byte{`&<>"'`[i]}, end + 1
	}
	number, base := strings.TrimPrefix(name, "#"), 10
	if rest, ok := strings.CutPrefix(number, "x"); ok {
		number, base = rest, 16
	}
	n, err := strconv.ParseUint(number, base, 31)
	if name[0] != '#' || err != nil {
		return text[:1], 1
	}
	return utf8.AppendRune(nil, rune(n)), end + 1
}
