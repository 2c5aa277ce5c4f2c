package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Texts that a locale, a normalisation, padding or UTF-16 would take for one another or put into another order than bytes do.
func texts() []string {
	return []string{
		"", " ", "a", "A", "a ", "a  ", " a", "á", "a\u0301", "ä", "Å", "A\u030a", "b", "B", "z", "Z", "ss", "ß", "ẞ", "i", "I", "ı", "İ",
		"fi", "ﬁ", "é", "e\u0301", "a\u200b", "a\t", "a\n", "%", "_", "'", `"`, `\`, "世界", "\uff5e", "😀", "😀😀", "\U0010ffff", "10", "9",
	}
}

// Instants that are easily lost: the zero time, the epoch and its neighbours, and what nanoseconds in 64 bits cannot hold.
func instants() []time.Time {
	return []time.Time{
		{},
		time.Date(1900, 1, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC),
		time.Unix(0, 0).UTC(),
		time.Date(1970, 1, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC),
		time.Date(2200, 12, 31, 23, 59, 59, 999999000, time.UTC),
		time.Date(2299, 12, 31, 23, 59, 59, 1000, time.UTC),
	}
}

// filled returns a T with something in every field, so that a column that an engine forgets is missed.
func filled[T any](r *rand.Rand) T {
	var v T
	fill(r, reflect.ValueOf(&v).Elem())
	return v
}

func fill(r *rand.Rand, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		from, to := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
		v.Set(reflect.ValueOf(time.UnixMicro(from + r.Int64N(to-from)).UTC()))
		return
	case []byte:
		b := make([]byte, 1+r.IntN(40))
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		v.SetBytes(b)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.String:
		v.SetString(word(r))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1 + int64(r.Int32()))
	case reflect.Int64:
		v.SetInt(1 + r.Int64N(1<<62))
	case reflect.Uint32:
		v.SetUint(1<<31 + uint64(r.Uint32N(1<<31)))
	default:
		panic(fmt.Sprintf("storetest: fill: a field of kind %s", v.Kind()))
	}
}

// word returns a text that is unlike every other one.
func word(r *rand.Rand) string {
	all := texts()
	var b strings.Builder
	for range 3 {
		b.WriteString(all[r.IntN(len(all))])
	}
	fmt.Fprintf(&b, "%x ", r.Uint64())
	return b.String()
}

func random(t *testing.T) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(seed(t), 1))
}

// reversed returns keys the other way round.
func reversed[T any](keys []T) []T {
	out := make([]T, 0, len(keys))
	for i := range keys {
		out = append(out, keys[len(keys)-1-i])
	}
	return out
}

// numbered returns "name-000" and so on.
func numbered(name string, n int) []string {
	out := make([]string, 0, n)
	for i := range n {
		out = append(out, fmt.Sprintf("%s-%03d", name, i))
	}
	return out
}
