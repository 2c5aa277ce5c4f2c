package agreement_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/agreement/sealtest"
)

// small is an agreement that fits on a screen, and whose bytes can all be flipped in a moment.
const small = `title: Leads
version: "1"
parties: {marketing: M, sales: S}
sources: {web: {format: json, verify: {bearer: env:WEB}}}
stages:
  - {name: lead}
  - {name: mql, when: score > 1}
  - {name: won, when: did("won") > 0, final: true}
  - {name: lost, when: did("lost") > 0, final: true}
handoff: {at: mql, routes: [{pool: all}], unassigned: {within: 1h, calendar: always}}
pools: {all: {teams: [t]}}
clocks:
  - {name: call, within: 1h, calendar: always, stops_on: [attempt]}
`

func parsed(t *testing.T, text []byte) *agreement.Agreement {
	t.Helper()
	a, faults := agreement.Parse("agreement.yaml", text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return a
}

// sealed says why signatures do not seal a text that follows before, on lines; nothing when they do.
func sealed(t *testing.T, text, seal []byte, before *agreement.Agreement) string {
	t.Helper()
	a := parsed(t, text)
	trusted, err := a.Trusted(before)
	if err != nil {
		return err.Error()
	}
	s, faults := agreement.ParseSeal("agreement.yaml.sig", seal)
	if len(faults) == 0 {
		faults = s.Verify(a, trusted)
	}
	var lines []string
	for _, f := range faults {
		lines = append(lines, f.Error())
	}
	return strings.Join(lines, "\n")
}

func lines(text []byte) [][]byte {
	return bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
}

func TestSeal(t *testing.T) {
	t.Parallel()
	one := sealtest.Keyed(t, []byte(small))
	good := sealtest.Seal(t, one)
	mute := bytes.Replace(one, []byte(`version: "1"`), []byte(`version: "2"`), 1)
	two := sealtest.Following(t, mute, one)
	// Both signed it, and went on with two: it shall not come back.
	givenUp := sealtest.Following(t, bytes.Replace(mute, []byte("within: 1h"), []byte("within: 9h"), 1), one)
	// The keys change: marketing has another.
	rotated := sealtest.KeyedBy(t, two, "new marketing", "sales")
	third := sealtest.Following(t, rotated, rotated)
	signed, unsigned := parsed(t, one), parsed(t, []byte(small))
	marketing, sales := string(lines(good)[0]), string(lines(good)[1])+"\n"
	for name, c := range map[string]struct {
		text, seal string
		before     *agreement.Agreement
		want       []string // lines hold these, in order; none when it is sealed
	}{
		"both have signed":           {string(one), string(good), nil, nil},
		"the other order, a comment": {string(one), "# signed on Monday\n\n" + sales + marketing, nil, nil},
		"Windows line ends":          {strings.ReplaceAll(string(one), "\n", "\r\n"), strings.ReplaceAll(string(good), "\n", "\r\n"), nil, nil},
		"a byte-order mark":          {"\ufeff" + string(one), string(good), nil, nil},
		"nobody has": {string(one), "", nil, []string{
			"agreement.yaml.sig:1:1: marketing has not signed (leadpact sign FILE --as marketing", "1:1: sales has not signed",
		}},
		"sales has not":                  {string(one), marketing, nil, []string{"1:1: sales has not signed (leadpact sign FILE --as sales --key KEYFILE)"}},
		"of another text":                {string(two), string(good), nil, []string{"1:1: the signature of marketing is of another text, or was changed", "2:1: the signature of sales is of"}},
		"swapped":                        {string(one), swap(good), nil, []string{"1:1: the signature of sales was made with the key of marketing", "2:1: the signature of marketing was made with the key of sales"}},
		"a stranger's":                   {string(one), string(sealtest.SealBy(t, one, "marketing", "eve")), nil, []string{"2:1: the signature of sales was made with another key than the one that counts (sign with the key ed25519:"}},
		"a line given for the other":     {string(one), "sales" + strings.TrimPrefix(marketing, "marketing"), nil, []string{"1:1: marketing has not signed", "1:1: the signature of sales was made with the key of marketing"}},
		"the other's word by own key":    {string(one), crossed(t, one), nil, []string{"the signature of sales was given for marketing (sign again with --as sales)"}},
		"twice":                          {string(one), marketing + string(good), nil, []string{"2:1: marketing signs twice (its first signature is in line 1; keep one)"}},
		"a next version":                 {string(two), string(sealtest.Seal(t, two)), signed, nil},
		"a next version that is mute":    {string(mute), string(sealtest.Seal(t, mute)), signed, []string{`does not say which version it follows: write the line follows: "` + signed.Hash + `" into it, and let both sign`}},
		"a version given up":             {string(givenUp), string(sealtest.Seal(t, givenUp)), parsed(t, two), []string{"it follows the version " + signed.Hash + `, which is not the last one: write the line follows: "` + parsed(t, two).Hash}},
		"the first, again":               {string(one), string(good), parsed(t, two), []string{"does not say which version it follows"}},
		"after one without keys":         {string(mute), string(sealtest.Seal(t, mute)), unsigned, nil},
		"after one that it does not say": {string(two), string(sealtest.Seal(t, two)), unsigned, []string{"which is not the last one"}},
		"keys dropped":                   {small, "", signed, []string{"this one names none"}},
		"keys that were never there":     {small, "", unsigned, []string{"marketing has not signed", "sales has not signed"}},
		"a key changed under the old":    {string(rotated), string(sealtest.Seal(t, rotated)), signed, nil},
		"a key changed under the new":    {string(rotated), string(sealtest.SealBy(t, rotated, "new marketing", "sales")), signed, []string{"1:1: the signature of marketing was made with another key"}},
		"a changed key, once it is so":   {string(third), string(sealtest.SealBy(t, third, "new marketing", "sales")), parsed(t, rotated), nil},
		"a changed key, by the old then": {string(third), string(sealtest.Seal(t, third)), parsed(t, rotated), []string{"1:1: the signature of marketing was made with another key"}},
	} {
		got := sealed(t, []byte(c.text), []byte(c.seal), c.before)
		if len(c.want) == 0 && got != "" {
			t.Errorf("%s: refused: %s", name, got)
			continue
		}
		said := strings.Split(got, "\n")
		if len(c.want) > 0 && len(said) != len(c.want) {
			t.Errorf("%s: got %q, want %q", name, said, c.want)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(said[i], want) {
				t.Errorf("%s: got %q, want %q", name, said[i], want)
			}
		}
	}
}

// swap gives each side's line the other's name.
func swap(seal []byte) string {
	return strings.NewReplacer("marketing", "sales", "sales", "marketing").Replace(string(seal))
}

// crossed is a seal whose second line is what sales signed in the name of marketing.
func crossed(t *testing.T, text []byte) string {
	t.Helper()
	a := parsed(t, text)
	g := agreement.Sign(a, agreement.Marketing, sealtest.Key("sales"))
	g.Side = agreement.Sales
	return string((&agreement.Seal{}).With(agreement.Sign(a, agreement.Marketing, sealtest.Key("marketing"))).With(g).Text())
}

// TestOneByteFlipped: whatever byte of a signed agreement, or of its signatures, is another, it is refused.
func TestOneByteFlipped(t *testing.T) {
	t.Parallel()
	text := sealtest.Keyed(t, []byte(small))
	seal := sealtest.Seal(t, text)
	if got := sealed(t, text, seal, nil); got != "" {
		t.Fatal(got)
	}
	first := parsed(t, text)
	whole, faulty := 0, 0
	for i := range text {
		spoilt := slices.Clone(text)
		spoilt[i] ^= 1 << (i % 8)
		a, faults := agreement.Parse("agreement.yaml", spoilt)
		if len(faults) > 0 {
			faulty++
			continue
		}
		whole++
		trusted, err := a.Trusted(nil)
		if err != nil {
			t.Fatal(err)
		}
		s, faults := agreement.ParseSeal("sig", seal)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		for by, keys := range map[string]agreement.Parties{"its own keys": trusted, "the keys before": first.Parties} {
			if len(s.Verify(a, keys)) == 0 {
				t.Errorf("byte %d is another (%q), and the signatures hold under %s", i, spoilt[max(0, i-10):min(len(spoilt), i+10)], by)
			}
		}
	}
	if whole < 50 || faulty < 50 {
		t.Errorf("%d flips leave an agreement and %d a fault: the test looks at one kind alone", whole, faulty)
	}
	for i := range seal {
		for bit := range 8 {
			spoilt := slices.Clone(seal)
			spoilt[i] ^= 1 << bit
			// White space is no part of a signature.
			if got := sealed(t, text, spoilt, nil); got == "" && !slices.Equal(strings.Fields(string(spoilt)), strings.Fields(string(seal))) {
				t.Errorf("byte %d of the signatures is another, and they hold: %q", i, spoilt)
			}
		}
	}
}

func TestSealHasPlacesForItsFaults(t *testing.T) {
	t.Parallel()
	good := string(sealtest.Seal(t, sealtest.Keyed(t, []byte(small))))
	words := strings.Fields(good)
	for text, want := range map[string]string{
		"# nothing\n\nsomebody x y":                              "sig:3:1: \"somebody\" is neither marketing nor sales (write SIDE ed25519:KEY SIGNATURE",
		"marketing " + words[1]:                                  "sig:1:1: a signature is three words; here are 2",
		good + "sales":                                           "sig:3:1: a signature is three words; here are 1",
		"sales ed25519:AAAA " + words[2]:                         "sig:1:1: \"ed25519:AAAA\" is no public key",
		"sales " + words[1] + " " + words[2][:80]:                "sig:1:1: the third word is no signature",
		"sales " + words[1] + " " + words[2][:85] + "B==":        "sig:1:1: the third word is no signature",
		"marketing " + words[1] + " \x00":                        "sig:1:64: the control character 0x00",
		strings.Repeat("# a long story\n", 10_000):               "sig:1:1: the file has 150000 bytes",
		"marketing " + strings.Repeat("x", 100) + " " + words[2]: "sig:1:1: \"xxx",
		"Marketing " + words[1] + " " + words[2]:                 "sig:1:1: \"Marketing\" is neither",
		"marketing " + words[1] + "= " + words[2]:                "sig:1:1: \"",
	} {
		s, faults := agreement.ParseSeal("sig", []byte(text))
		if s != nil || len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), want) {
			t.Errorf("%.60q: got %v, want %q", text, faults, want)
		}
	}
}

func TestSealComesBack(t *testing.T) {
	t.Parallel()
	text := sealtest.Seal(t, sealtest.Keyed(t, []byte(small)))
	s, faults := agreement.ParseSeal("sig", slices.Concat([]byte("# a word\r\n"), text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if !bytes.Equal(s.Text(), text) {
		t.Errorf("written %q, want %q", s.Text(), text)
	}
	g, ok := s.Of(agreement.Sales)
	if !ok {
		t.Fatal("sales has signed")
	}
	g.Value = bytes.Repeat([]byte{7}, 64)
	other := s.With(g)
	if bytes.Equal(other.Text(), text) || !bytes.Equal(s.Text(), text) {
		t.Error("a signature that takes another's place changes the new seal alone")
	}
}

func FuzzParseSeal(f *testing.F) {
	f.Add([]byte("# a comment\nmarketing ed25519:AAAA BBBB\n"))
	f.Add([]byte("sales x\r\n\ufeffsales"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, faults := agreement.ParseSeal("sig", text)
		if (s == nil) != (len(faults) > 0) {
			t.Fatalf("a seal %v and faults %v", s, faults)
		}
		if s == nil {
			return
		}
		again, faults := agreement.ParseSeal("sig", s.Text())
		if len(faults) > 0 || !bytes.Equal(again.Text(), s.Text()) {
			t.Fatalf("%q becomes %q: %v", s.Text(), again.Text(), faults)
		}
	})
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	plain := parsed(t, []byte(small))
	for name, text := range map[string]string{
		"Windows":            strings.ReplaceAll(small, "\n", "\r\n"),
		"a byte-order mark":  "\ufeff" + small,
		"both":               "\ufeff" + strings.ReplaceAll(small, "\n", "\r\n"),
		"some lines of each": strings.Replace(small, "\n", "\r\n", 3),
	} {
		a := parsed(t, []byte(text))
		if a.Hash != plain.Hash || !bytes.Equal(a.Text, plain.Text) || !bytes.Equal(agreement.Canonical(a.Text), a.Text) {
			t.Errorf("%s: hash %s of %q", name, a.Hash, a.Text)
		}
	}
	if a := parsed(t, []byte(strings.Replace(small, "title: Leads", "title: Leads ", 1))); a.Hash == plain.Hash {
		t.Error("a blank more is another text")
	}
}

func TestFollows(t *testing.T) {
	t.Parallel()
	before := parsed(t, []byte(small))
	a := parsed(t, sealtest.Following(t, []byte(small), []byte(small)))
	if a.Follows != before.Hash || before.Follows != "" {
		t.Errorf("follows %q and %q, want %q and none", a.Follows, before.Follows, before.Hash)
	}
	if d := agreement.Diff(before, a); len(d) != 1 || d[0].String() != "follows, that is: nothing → "+before.Hash {
		t.Errorf("the difference is %v", d)
	}
	for _, hash := range []string{"[]", `""`, before.Hash[1:], strings.ToUpper(before.Hash), before.Hash + "0", "the first"} {
		if _, faults := agreement.Parse("a", []byte("follows: "+hash+"\n"+small)); len(faults) != 1 || faults[0].Line != 1 {
			t.Errorf("%s: %v", hash, faults)
		}
	}
}

func TestParties(t *testing.T) {
	t.Parallel()
	key := sealtest.Public
	for parties, good := range map[string]bool{
		`{marketing: M, sales: S}`:                                                                   true,
		`{marketing: {name: Dana, role: VP Marketing}, sales: S}`:                                    true,
		`{marketing: {name: D, key: "` + key("a") + `"}, sales: {name: S, key: ` + key("b") + `}}`:   true,
		`{marketing: {name: D, key: "` + key("a") + `"}, sales: S}`:                                  false,
		`{marketing: {name: D, key: "` + key("a") + `"}, sales: {name: S, key: "` + key("a") + `"}}`: false,
		`{marketing: {name: D, key: RWQ}, sales: {name: S, key: "` + key("a") + `"}}`:                false,
		`{marketing: {role: VP}, sales: S}`:                                                          false,
		`{marketing: {name: D, kex: x}, sales: S}`:                                                   false,
		`{marketing: M}`:             false,
		`{marketing: [M], sales: S}`: false,
	} {
		_, faults := agreement.Parse("a", []byte(strings.Replace(small, "{marketing: M, sales: S}", parties, 1)))
		if good && len(faults) > 0 || !good && (len(faults) != 1 || faults[0].Line != 3) {
			t.Errorf("%s: %v", parties, faults)
		}
	}
	a := parsed(t, []byte(strings.Replace(small, "{marketing: M, sales: S}", "{marketing: {name: Dana, role: VP Marketing, key: \""+key("a")+"\"}, sales: {name: Sam, key: \""+key("b")+"\"}}", 1)))
	want := agreement.Parties{Marketing: agreement.Party{Name: "Dana", Role: "VP Marketing", Key: key("a")}, Sales: agreement.Party{Name: "Sam", Key: key("b")}}
	if a.Parties != want || !a.Parties.Sign() {
		t.Errorf("got %+v, want %+v", a.Parties, want)
	}
	if _, err := parsed(t, []byte(small)).Trusted(a); !errors.Is(err, agreement.ErrKeysDropped) {
		t.Errorf("got %v, want %v", err, agreement.ErrKeysDropped)
	}
	var said []string
	for _, c := range agreement.Diff(parsed(t, []byte(small)), a) {
		said = append(said, c.String())
	}
	if len(said) != 5 || !strings.Contains(strings.Join(said, "\n"), "who answers for marketing, role: nothing → VP Marketing") {
		t.Errorf("the difference is %q", said)
	}
}
