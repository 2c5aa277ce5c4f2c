package paper

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
)

// update rewrites the golden files: go test ./services/leadpact/paper -update, and then look at them in a browser.
var update = flag.Bool("update", false, "rewrite testdata")

const small, reference = "testdata/agreement.yaml", "../../../docs/examples/hubspot/agreement.yaml"

func load(t *testing.T, file string) *agreement.Agreement {
	t.Helper()
	a, _, faults, err := agreement.Load(file, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Fatal(f.Error())
	}
	return a
}

func draw(t *testing.T, a *agreement.Agreement, s Sheet) string {
	t.Helper()
	page, err := HTML(a, s)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestGolden(t *testing.T) {
	t.Parallel()
	a := load(t, small)
	file, err := Invitations(a)
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Replace(draw(t, a, Sheet{Size: A4}), look, "", 1) // how it looks is judged by eye
	for name, got := range map[string][]byte{"page.html": []byte(page), "meetings.ics": file} {
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s has changed (-update when it is meant to):\n%s", name, got)
		}
	}
}

// TestSame: the same agreement gives the same bytes, however maps are ordered.
func TestSame(t *testing.T) {
	t.Parallel()
	a := load(t, reference)
	first := draw(t, a, Sheet{Size: Letter})
	for range 8 {
		if draw(t, load(t, reference), Sheet{Size: Letter}) != first {
			t.Fatal("two drawings of one agreement differ")
		}
	}
}

// elsewhere are the facts that the page tells in another form than the contract: in tables of their own, which the golden page shows.
var elsewhere = map[string][]string{
	"What sales promises":           {"grades"},      // columns
	"What is written down":          {"grades"},      // columns
	"What both want to reach":       {"comes on to"}, // a row of the goal's table
	"What marketing owes over time": {"to"},          // the heading
	"What sales owes over time":     {"to"},
}

// TestWholeContract: every clause is on paper, and everything that it says. What is left to the annex, which is not printed, is named here.
func TestWholeContract(t *testing.T) {
	t.Parallel()
	unprinted := []string{"What both want to know of a lead", "Channels", "Where leads come from"}
	for _, file := range []string{small, reference, "../../../docs/examples/minimal/agreement.yaml", "../../../docs/examples/history/agreement.yaml"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			a := load(t, file)
			page := draw(t, a, Sheet{Size: A4})
			printed, annexed := texts(t, page)
			for _, s := range a.Contract() {
				text := printed
				if slices.Contains(unprinted, s.Title) {
					text = annexed
				}
				if len(s.Clauses) > 0 && s.Title != aboutFront && !strings.HasSuffix(s.Title, "owes over time") && !strings.Contains(text, s.Title) {
					t.Errorf("the section %q is not told", s.Title)
				}
				for _, c := range s.Clauses {
					if s.Title != aboutFront && !strings.Contains(text, flat(c.Subject)) {
						t.Errorf("%s: %q is not told", s.Title, c.Subject)
					}
					for _, f := range c.Facts {
						if slices.Contains(elsewhere[s.Title], f.What) || idle(f) {
							continue
						}
						for _, words := range pieces(s.Title, f) {
							if !strings.Contains(text, words) {
								t.Errorf("%s: of %q it is not told: %s %q", s.Title, c.Subject, f.What, words)
							}
						}
					}
				}
			}
			if strings.Contains(printed+annexed, strings.TrimSpace(waiting)) {
				t.Error("what is not enforced yet bears no mark")
			}
			if !strings.Contains(printed, a.Hash) {
				t.Error("the signatures do not say for what")
			}
		})
	}
}

// pieces are the words of a fact as they stand together on the page.
func pieces(section string, f agreement.Fact) []string {
	words := strings.ReplaceAll(f.Words, waiting, "")
	split := map[string]string{aboutBreach: "; ", aboutFront: ", ", aboutHours: ", ", aboutGoals: ", "}[section]
	if words == "yes" {
		words = f.What
	}
	all := []string{words}
	if split != "" && f.What != "revenue" && f.What != "a deal brings" {
		all = strings.Split(words, split)
	}
	for i := range all {
		all[i] = flat(all[i])
	}
	return all
}

func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

// texts are what a page says on paper, and in its annex, without the marks.
func texts(t *testing.T, page string) (printed, annexed string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(n *html.Node, in *strings.Builder)
	var paper, annex strings.Builder
	walk = func(n *html.Node, in *strings.Builder) {
		if n.Type == html.TextNode {
			in.WriteString(n.Data)
		}
		if n.Data == "head" || n.Data == "sup" {
			return
		}
		for _, x := range n.Attr {
			if x.Key == "id" && x.Val == "annex" {
				in = &annex
			}
		}
		for c := range n.ChildNodes() {
			walk(c, in)
		}
		if slices.Contains([]string{"p", "td", "th", "h1", "h2", "h3", "dt", "dd", "caption", "text", "span", "br"}, n.Data) {
			in.WriteString(" ")
		}
	}
	walk(root, &paper)
	return flat(paper.String()), flat(annex.String())
}

// TestPlans: the plans name sections and facts that the contract has, so that a word that changes there is missed here.
func TestPlans(t *testing.T) {
	t.Parallel()
	facts := map[string]map[string]bool{}
	for _, file := range []string{reference, small} {
		for _, s := range load(t, file).Contract() {
			if facts[s.Title] == nil {
				facts[s.Title] = map[string]bool{}
			}
			for _, c := range s.Clauses {
				for _, f := range c.Facts {
					facts[s.Title][f.What] = true
				}
			}
		}
	}
	all := annex()
	for _, p := range plans() {
		all = append(all, p.settings...)
	}
	for _, s := range all {
		if facts[s.title] == nil {
			t.Errorf("the contract has no section %q", s.title)
			continue
		}
		named := slices.Concat(s.code, s.silent)
		for _, c := range s.columns {
			named = append(named, c.facts...)
		}
		for _, f := range named {
			if !facts[s.title][f] {
				t.Errorf("%s says nothing of %q", s.title, f)
			}
		}
	}
}

// TestUnplanned: a section that the contract gains comes on paper by itself.
func TestUnplanned(t *testing.T) {
	t.Parallel()
	s := newSetter(load(t, small), nil)
	s.contract = append(s.contract, agreement.Section{Title: "Something new", Pending: true, Clauses: []agreement.Clause{{Subject: "it", Facts: []agreement.Fact{{What: "holds", Words: "well"}}}}})
	all := s.chapters()
	got := all[len(all)-2]
	if got.Title != "Something new" || !got.Pending || got.Parts[0].Entries[0].Name != "it" || got.Parts[0].Entries[0].Says[0] != (phrase{Label: "holds", Text: "well", Whole: true}) {
		t.Errorf("before the last stands %+v", got)
	}
}

// nasty are texts that break pages which do not escape.
var nasty = []string{
	"</style><script>alert(1)</script>", "</title>", `" onload="x`, "' x='", "<!--", "-->", "]]>", "</svg>", "&lt;", "&", "\\", `\"}`, "*/", "{{.}}", "<svg onload=x>", "</table></main>",
	"\u202e", "=1+1", ", ", "; ", "`", "\n\n", "Ω≠é漢字👩‍👩‍👧",
}

func texting() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom(nasty), rapid.StringOfN(rapid.RuneFrom(nil, unicode.L, unicode.P, unicode.S, unicode.N, unicode.Zs), 0, 12, -1),
	), 1, 3), func(of []string) string { return strings.Join(of, "") })
}

// slot is a text of an agreement that somebody typed.
type slot struct {
	at  reflect.Value
	was string
}

// slots are all that people type freely. What the reader of the file holds to a few words has a type of its own or a name in keep.
func slots(v reflect.Value) []slot {
	keep := []string{"Kind", "Period", "Every", "Per", "By", "Hash", "Zone", "Do", "Summary"}
	var out []slot
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && v.Type() != reflect.TypeFor[*agreement.Condition]() {
			out = slots(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !slices.Contains(keep, f.Name) {
				out = append(out, slots(v.Field(i))...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			out = append(out, slots(v.Index(i))...)
		}
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() && v.Len() > 0 {
			out = append(out, slot{v, v.String()})
		}
	default: // numbers and flags are not typed freely
	}
	return out
}

// calm is a harmless text that is as long as another one, cut at the same places, and unlike those of other numbers.
func calm(text string, number int) string {
	out := []rune(text)
	marked := false
	for i, r := range out {
		switch {
		case strings.ContainsRune(",; ", r):
		case !marked:
			out[i], marked = '一'+rune(number), true
		default:
			out[i] = 'x'
		}
	}
	return string(out)
}

// skeletonOf are the elements of a page and the names of their attributes, in order.
func skeletonOf(t interface{ Fatalf(string, ...any) }, page string) []string {
	var out []string
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) {
				t.Fatalf("the page cannot be read: %v", z.Err())
			}
			return out
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken, html.CommentToken, html.DoctypeToken:
			token := z.Token()
			text := token.Type.String() + " " + token.Data
			for _, a := range token.Attr {
				text += " " + a.Key
			}
			out = append(out, text)
		case html.TextToken:
		}
	}
}

// TestAnyText: whatever people type, the page has the same elements with the same attributes as for harmless words, and its drawing is XML.
func TestAnyText(t *testing.T) {
	t.Parallel()
	hard, plain := load(t, reference), load(t, reference)
	typing, still := slots(reflect.ValueOf(hard)), slots(reflect.ValueOf(plain))
	rapid.Check(t, func(t *rapid.T) {
		texts, quietly, typed := map[string]string{}, map[string]string{}, map[string]bool{} // by what stood there; what was typed
		for i, slot := range typing {
			if texts[slot.was] == "" {
				text := texting().Filter(func(s string) bool { return strings.Trim(s, ",; ") != "" && !typed[s] }).Draw(t, "text")
				texts[slot.was], quietly[slot.was], typed[text] = text, calm(text, len(texts)), true
			}
			slot.at.SetString(texts[slot.was])
			still[i].at.SetString(quietly[slot.was])
		}
		hard.Summary, plain.Summary = texting().Draw(t, "summary")+"x", "x"
		page, err := HTML(hard, Sheet{Size: A4})
		if err != nil {
			t.Fatal(err)
		}
		quiet, err := HTML(plain, Sheet{Size: A4})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(paragraphs(hard.Summary)); n > 1 {
			quiet = bytes.Replace(quiet, []byte("<p>x</p>"), bytes.Repeat([]byte("<p>x</p>"), n), 1)
		}
		got, want := skeletonOf(t, string(page)), skeletonOf(t, string(quiet))
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("element %d is %s and not %s", i, got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d elements, not %d", len(got), len(want))
		}
		begin, end := bytes.Index(page, []byte("<svg ")), bytes.Index(page, []byte("</svg>"))
		d := xml.NewDecoder(bytes.NewReader(page[begin : end+len("</svg>")]))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("the drawing is no XML: %v", err)
			}
		}
	})
}

// TestStandsAlone: nothing is loaded and nothing runs.
func TestStandsAlone(t *testing.T) {
	t.Parallel()
	a := load(t, reference)
	root, err := html.Parse(strings.NewReader(draw(t, a, Sheet{Size: A4})))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if slices.Contains([]string{"script", "link", "img", "iframe", "object", "use", "base", "form"}, n.Data) && n.Type == html.ElementNode {
			t.Errorf("the page holds <%s>", n.Data)
		}
		for _, x := range n.Attr {
			if strings.HasPrefix(x.Key, "on") || x.Key == "src" || x.Key == "href" && !strings.HasPrefix(x.Val, "#") {
				t.Errorf("the page holds %s=%q", x.Key, x.Val)
			}
		}
	}
	if strings.Contains(look, "url(") || strings.Contains(look, "@import") {
		t.Error("the style loads something")
	}
}

// TestAnchors: every link on the page leads somewhere, and every place has one name.
func TestAnchors(t *testing.T) {
	t.Parallel()
	root, err := html.Parse(strings.NewReader(draw(t, load(t, reference), Sheet{Size: A4})))
	if err != nil {
		t.Fatal(err)
	}
	ids, links := map[string]int{}, 0
	for n := range root.Descendants() {
		for _, x := range n.Attr {
			if x.Key == "id" {
				ids[x.Val]++
			}
		}
	}
	for id, count := range ids {
		if count > 1 {
			t.Errorf("%d places are named %s", count, id)
		}
	}
	for n := range root.Descendants() {
		for _, x := range n.Attr {
			if x.Key == "href" {
				links++
				if ids[strings.TrimPrefix(x.Val, "#")] == 0 {
					t.Errorf("%s leads nowhere", x.Val)
				}
			}
		}
	}
	if links == 0 {
		t.Error("no promise leads to its remedies")
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	if _, err := HTML(load(t, small), Sheet{Size: "A4; } body { display: none"}); err == nil {
		t.Error("a size that is none is taken")
	}
}
