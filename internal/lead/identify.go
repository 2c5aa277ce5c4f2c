package lead

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/mail"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// longestEmail is what RFC 5321 allows for a path, without its brackets.
const longestEmail = 254

// Identify returns what names the person of a fact, the strongest first: "email:" and the canonical address when there is a valid
// one, then "id:SOURCE:EXTERNAL" when the source has an id for the person. None means that the fact has no person.
func Identify(source, email, externalID string) []string {
	var out []string
	if canonical, err := Canonical(email); err == nil {
		out = append(out, "email:"+canonical)
	}
	if id := strings.TrimSpace(externalID); id != "" {
		out = append(out, "id:"+source+":"+id)
	}
	return out
}

// Canonical is the form under which addresses of one mailbox match: lower case, the domain in its IDNA form, without a +tag, and
// for Gmail without dots. It is for matching only, never for writing to: a mail system may tell apart what it treats as one. The
// error never repeats the address.
func Canonical(email string) (string, error) {
	email = strings.TrimSpace(email)
	if len(email) > 4*longestEmail {
		return "", fmt.Errorf("read an e-mail address: it has %d bytes", len(email))
	}
	if local, domain, ok := ordinary(email); ok {
		return match(local, domain)
	}
	return byStandard(email)
}

// byStandard reads any address that there can be.
func byStandard(email string) (string, error) {
	parsed, err := mail.ParseAddress(email)
	if err != nil {
		return "", fmt.Errorf("read an e-mail address: it is not of the form name@domain")
	}
	at := strings.LastIndexByte(parsed.Address, '@')
	// As browsers look names up, and no empty label either.
	profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))
	domain, err := profile.ToASCII(strings.ToLower(norm.NFC.String(parsed.Address[at+1:])))
	if err != nil || domain == "" {
		return "", fmt.Errorf("read an e-mail address: its domain is not a name")
	}
	// NFC again after the change of case: some letters come apart in it.
	return match(norm.NFC.String(strings.ToLower(norm.NFC.String(parsed.Address[:at]))), domain)
}

// ordinary reads an address of letters, digits and the signs that nearly all are made of, in lower case. What it is not sure about it
// leaves to the standard's own reading, which costs fifty times as much.
func ordinary(email string) (local, domain string, ok bool) {
	local, domain, ok = strings.Cut(email, "@")
	if !ok || local == "" || domain == "" || len(domain) > 253 {
		return "", "", false
	}
	last := byte('.')
	for i := range len(local) {
		c := local[i]
		if !letter(c) && c != '_' && c != '-' && c != '+' && (c != '.' || last == '.') {
			return "", "", false
		}
		last = c
	}
	if last == '.' {
		return "", "", false
	}
	label := 0 // of how many characters
	for i := range len(domain) {
		c := domain[i]
		inside := label > 0 && i < len(domain)-1 && letter(domain[i-1]) && letter(domain[i+1])
		switch {
		case letter(c) && label < 63, c == '-' && inside && label < 62:
			label++
		case c == '.' && inside:
			label = 0
		default:
			return "", "", false
		}
	}
	return strings.ToLower(local), strings.ToLower(domain), true
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' }

// match writes the canonical form of a local part and a domain, both in lower case.
func match(local, domain string) (string, error) {
	if before, _, _ := strings.Cut(local, "+"); before != "" {
		local = before
	}
	if domain == "gmail.com" || domain == "googlemail.com" {
		domain = "gmail.com"
		if plain := strings.ReplaceAll(local, ".", ""); plain != "" {
			local = plain
		}
	}
	// String quotes a local part that needs it, so that the canonical form is an address again.
	canonical := local + "@" + domain
	if _, _, simple := ordinary(canonical); !simple {
		canonical = strings.Trim((&mail.Address{Address: canonical}).String(), "<>")
	}
	if len(canonical) > longestEmail {
		return "", fmt.Errorf("read an e-mail address: it has %d bytes, %d are allowed", len(canonical), longestEmail)
	}
	return canonical, nil
}

// encoding of ids: lower case, so that they read the same in URLs, subjects and file names.
const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

// ID is the lead's id: the first 128 bits of HMAC-SHA256 over the identifier that was seen first, 26 letters and digits. Who lacks
// the key cannot tell from an id whether an address is known here.
func ID(key []byte, identifier string) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(identifier)) // a hash never fails
	return base32.NewEncoding(alphabet).WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:16])
}
