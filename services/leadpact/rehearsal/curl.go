package rehearsal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
)

// Curl is a request to write as a command that a person pastes into a shell. It never holds a secret: either what the secret signed, or
// the reference by which the shell finds it.
type Curl struct {
	Source agreement.Source
	// To is the door's origin. Public is the one that senders know, when a signature covers it; To unless given.
	To, Public string
	Body       []byte
	// File is where the body stands; without it the body becomes part of the command.
	File string
	// Media is the body's type; guessed unless given.
	Media  string
	Secret func(ref string) (string, error)
	At     time.Time
}

// Timely says that the command is good for five minutes alone.
func (c Curl) Timely() bool {
	p := c.Source.Verify.Proof
	return p.Kind == preset.StandardWebhook || p.Time != nil
}

// Write writes the command.
func (c Curl) Write(w io.Writer) error {
	to, err := Address(c.To, c.Source.Name)
	if err != nil {
		return err
	}
	known, err := Address(cmp.Or(c.Public, c.To), c.Source.Name)
	if err != nil {
		return err
	}
	if len(c.Source.Verify.Secrets) == 0 {
		return errors.New("the source has no secret")
	}
	p, ref := c.Source.Verify.Proof, c.Source.Verify.Secrets[0]
	inline := c.File == "" || p.Kind == preset.Body
	r := &hook.Request{Method: http.MethodPost, URI: known, Header: http.Header{}, Body: c.Body}
	r.Header.Set("Content-Type", cmp.Or(c.Media, Media(c.Source.Tool.Formats, c.Body)))
	if inline && p.Kind != preset.Body && !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") && !bytes.HasSuffix(r.Body, []byte("\n")) {
		r.Body = append(slices.Clip(r.Body), '\n') // as the shell will have it
	}
	lines := []string{"curl " + quote(to)}
	switch {
	case p.Kind.Signs():
		secret, err := c.Secret(ref)
		if err != nil {
			return fmt.Errorf("a signature needs the secret: %w", err)
		}
		if err := hook.Sign(p, secret, r, c.At); err != nil {
			return err
		}
	case p.Kind == preset.Body:
		if err := c.insert(r, p, ref); err != nil {
			return err
		}
	default:
		lines = append(lines, shownBy(p, ref))
	}
	for _, name := range sortedNames(r.Header) {
		lines = append(lines, "--header "+quote(spelled(p, name)+": "+r.Header.Get(name)))
	}
	text := strings.Join(lines, " \\\n  ")
	switch {
	case !inline:
		text += " \\\n  --data-binary " + quote("@"+c.File) + "\n"
	case p.Kind == preset.Body:
		text += " \\\n  --data-binary @- <<" + mark(r.Body) + "\n" + expanding(r.Body, inShell(ref)) + mark(r.Body) + "\n"
	case pastes(r.Body):
		text += " \\\n  --data-binary @- <<'" + mark(r.Body) + "'\n" + string(r.Body) + mark(r.Body) + "\n"
	default:
		text = "printf " + printed(r.Body) + " | " + text + " \\\n  --data-binary @-\n"
	}
	_, err = io.WriteString(w, text)
	return err
}

// stand is what stands in a body for the secret until the shell puts it there.
const stand = "leadpact-puts-the-secret-here"

var needsNoEscape = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)

// insert puts stand where the secret belongs.
func (c Curl) insert(r *hook.Request, p preset.Proof, ref string) error {
	if bytes.Contains(r.Body, []byte(stand)) || !pastes(r.Body) {
		return errors.New("the body cannot be written into a command that shows no secret")
	}
	if secret, err := c.Secret(ref); err == nil && !needsNoEscape.MatchString(secret) {
		return errors.New("the secret has signs other than letters, digits and . _ ~ -, which a shell cannot put into a body")
	}
	if err := hook.Sign(p, stand, r, c.At); err != nil {
		return err
	}
	if !bytes.HasSuffix(r.Body, []byte("\n")) {
		r.Body = append(r.Body, '\n')
	}
	return nil
}

// shownBy is the option that shows the secret to the door.
func shownBy(p preset.Proof, ref string) string {
	switch p.Kind {
	case preset.Bearer:
		return `--header "Authorization: Bearer ` + inShell(ref) + `"`
	case preset.Basic:
		return `--user "` + inShell(ref) + `"`
	case preset.Query:
		return `--url-query "` + escape(p.QueryParam()) + "=" + inShell(ref) + `"`
	default:
		return `--header "` + escape(p.Header+": "+p.Prefix) + inShell(ref) + `"`
	}
}

// inShell is how a shell finds a secret, between double quotes.
func inShell(ref string) string {
	kind, name, _ := strings.Cut(ref, ":")
	if kind == "env" {
		return "$" + name
	}
	return "$(cat " + quote(name) + ")"
}

// quote is a word of a shell as it stands.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// escape keeps a shell from seeing anything in s between double quotes or in a document.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `$`, `\$`, "`", "\\`", `"`, `\"`).Replace(s)
}

// expanding is a document in which the shell finds nothing but the secret.
func expanding(body []byte, secret string) string {
	plain := strings.NewReplacer(`\`, `\\`, `$`, `\$`, "`", "\\`").Replace(string(body))
	return strings.ReplaceAll(plain, stand, secret)
}

// pastes says that a body is the same after it was pasted into a terminal.
func pastes(body []byte) bool {
	return !bytes.ContainsFunc(body, func(r rune) bool { return (r < ' ' && r != '\n') || r == 0x7f || r == '\uFFFD' })
}

// printed is a body as the shell's printf writes it.
func printed(body []byte) string {
	var out strings.Builder
	for i, b := range body {
		switch {
		case b == '\n':
			out.WriteString(`\n`)
		case b == '\r':
			out.WriteString(`\r`)
		case b == '\\', b == '%':
			out.WriteByte(b)
			out.WriteByte(b)
		case b < ' ' || b >= 0x7f || (i == 0 && b == '-'): // an option, else
			fmt.Fprintf(&out, `\%03o`, b)
		default:
			out.WriteByte(b)
		}
	}
	return quote(out.String())
}

// mark ends a document: a line that the body has not.
func mark(body []byte) string {
	out := "BODY"
	for slices.ContainsFunc(bytes.Split(body, []byte("\n")), func(line []byte) bool { return string(line) == out }) {
		out += "_"
	}
	return out
}

// spelled is a header as the sender's documents write it.
func spelled(p preset.Proof, name string) string {
	names := []string{p.Header}
	if p.Time != nil {
		names = append(names, p.Time.Header)
	}
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	return name
}

func sortedNames(h http.Header) []string {
	var out []string
	for name := range h {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
