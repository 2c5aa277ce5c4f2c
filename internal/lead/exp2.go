package lead

import (
	"math/bits"
	"time"
)

// exp2 is 2^f in units of 2^-63, for a fraction f in units of 2^-64. It is at most 10^-12 of the true value below it: the forty
// leading bits of f are used (the rest weighs under 2^-40 · ln 2 < 6.4·10^-13) and each of forty products is cut by under 2^-62.
//
// It is computed with integers because math.Exp2 is assembly on some processors, and two replicas must agree to the last bit.
func exp2(f uint64) uint64 {
	// 2^(2^-k) for k = 1 … 40, in units of 2^-63.
	roots := [40]uint64{
		0xb504f333f9de6484, 0x9837f0518db8a96f, 0x8b95c1e3ea8bd6e7, 0x85aac367cc487b15,
		0x82cd8698ac2ba1d7, 0x8164d1f3bc030773, 0x80b1ed4fd999ab6c, 0x8058d7d2d5e5f6b1,
		0x802c6436d0e04f51, 0x8016302f17467628, 0x800b179c82028fd1, 0x80058baf7fee3b5d,
		0x8002c5d00fdcfcb7, 0x800162e61bed4a49, 0x8000b17292f702a4, 0x800058b92abbae02,
		0x80002c5c8dade4d7, 0x8000162e44eaf636, 0x80000b1721fa7c19, 0x8000058b90de7e4d,
		0x800002c5c8678f37, 0x80000162e431dba0, 0x800000b1721872d1, 0x80000058b90c1aa9,
		0x8000002c5c8605a4, 0x800000162e4300e6, 0x8000000b17217ff8, 0x800000058b90bfdd,
		0x80000002c5c85fe7, 0x8000000162e42ff2, 0x80000000b17217f8, 0x8000000058b90bfc,
		0x800000002c5c85fe, 0x80000000162e42ff, 0x800000000b17217f, 0x80000000058b90c0,
		0x8000000002c5c860, 0x800000000162e430, 0x8000000000b17218, 0x800000000058b90c,
	}
	out := uint64(1) << 63
	for k, root := range roots {
		if f&(1<<(63-k)) == 0 {
			continue
		}
		hi, lo := bits.Mul64(out, root)
		out = hi<<1 | lo>>63
	}
	return out
}

// split writes t, since the Unix epoch, as (e + f) half-lives of h microseconds: e whole ones, rounded down, and a fraction f in units of
// 2^-64. Both are exact but for what f's unit cuts.
func split(t time.Time, h int64) (e int64, f uint64) {
	micros := t.UnixMicro()
	e, r := micros/h, micros%h
	if r < 0 {
		e, r = e-1, r+h
	}
	f, _ = bits.Div64(uint64(r), 0, uint64(h))
	return e, f
}
