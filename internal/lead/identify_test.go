package lead_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/lead"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"Ada@Example.COM", "ada@example.com"},
		{"  ada@example.com ", "ada@example.com"},
		{"Ada Lovelace <ada@example.com>", "ada@example.com"},
		{"ada+news@example.com", "ada@example.com"},
		{"ada+a+b@example.com", "ada@example.com"},
		{"+ada@example.com", "+ada@example.com"},
		{"a.d.a+x@gmail.com", "ada@gmail.com"},
		{"a.da@googlemail.com", "ada@gmail.com"},
		{"a.da@example.com", "a.da@example.com"},
		{"ada@Bücher.example", "ada@xn--bcher-kva.example"},
		{"ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"},
		{"JOSE\u0301@example.com", "jos\u00e9@example.com"},
		{`"a b"@example.com`, `"a b"@example.com`},
		{`"ada"@example.com`, "ada@example.com"},
	} {
		got, err := lead.Canonical(c.in)
		if err != nil || got != c.want {
			t.Errorf("Canonical(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{
		"", "ada", "@example.com", "ada@", "ada@@example.com", "a@b c", "ada@exa_mple.com", "ada@[127.0.0.1]",
		"one@example.com, two@example.com", "ada@example.com\x00", strings.Repeat("a", 250) + "@example.com",
	} {
		if got, err := lead.Canonical(in); err == nil {
			t.Errorf("Canonical(%q) = %q; want an error", in, got)
		} else if in != "" && len(in) > 3 && strings.Contains(err.Error(), in) {
			t.Errorf("Canonical(%q): the error repeats the address: %v", in, err)
		}
	}
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		source, email, external string
		want                    []string
	}{
		{"web", "A.da@gmail.com", "7", []string{"email:ada@gmail.com", "id:web:7"}},
		{"web", "", " 7 ", []string{"id:web:7"}},
		{"web", "not an address", "7", []string{"id:web:7"}},
		{"web", "ada@example.com", "", []string{"email:ada@example.com"}},
		{"web", "not an address", " ", nil},
	} {
		if got := lead.Identify(c.source, c.email, c.external); !slices.Equal(got, c.want) {
			t.Errorf("Identify(%q, %q, %q) = %q; want %q", c.source, c.email, c.external, got, c.want)
		}
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	a := lead.ID([]byte("one"), "email:ada@example.com")
	if a != lead.ID([]byte("one"), "email:ada@example.com") {
		t.Error("the same key and identifier gave two ids")
	}
	if a == lead.ID([]byte("two"), "email:ada@example.com") || a == lead.ID([]byte("one"), "email:bob@example.com") {
		t.Error("another key or another identifier gave the same id")
	}
	if len(a) != 26 || strings.Trim(a, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		t.Errorf("ID = %q; want 26 lower-case base32 digits", a)
	}
}

// A canonical address is its own canonical form; so identifiers can be made again from stored ones.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{"a.b+c@gmail.com", `"a b+c"@example.com`, "ß@straße.de", "İ@example.com", "ada@xn--a.example", "a@b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		once, err := lead.Canonical(in)
		if err != nil {
			return
		}
		twice, err := lead.Canonical(once)
		if err != nil || twice != once {
			t.Fatalf("Canonical(%q) = %q, and of that %q, %v", in, once, twice, err)
		}
	})
}

// The short way to read an address gives what the long one gives.
func TestPlainAddressesAreReadAsAllOthers(t *testing.T) {
	t.Parallel()
	part := rapid.StringMatching(`[a-zA-Z0-9._+-]{1,12}`)
	rapid.Check(t, func(t *rapid.T) {
		email := part.Draw(t, "local") + "@" + rapid.StringMatching(`[a-zA-Z0-9.-]{1,16}`).Draw(t, "domain")
		if rapid.Bool().Draw(t, "gmail") {
			email = part.Draw(t, "local") + "@GMail.com"
		}
		short, err := lead.Canonical(email)
		long, errLong := lead.Canonical("<" + email + ">") // what a mail program writes; never read the short way
		if short != long || (err == nil) != (errLong == nil) {
			t.Fatalf("%q is %q (%v), and by the standard %q (%v)", email, short, err, long, errLong)
		}
	})
}
